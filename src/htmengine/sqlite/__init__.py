"""SQLite files that several threads and processes write to."""
