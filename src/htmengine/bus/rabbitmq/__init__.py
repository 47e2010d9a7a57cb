"""The bus on a RabbitMQ broker. Importing this package needs no client of a broker."""
