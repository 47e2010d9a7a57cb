"""What `MessageBusConnector` is built on: a contract, and a connection for each bus."""
