"""The web server: the HTTP API under `/api/v1`, the stream of results, and the page that uses both."""
