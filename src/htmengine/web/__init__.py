"""The page, the HTTP API and the stream of results: what people and programs look at."""
