"""Parsers of what strangers send, fed with bytes that a fuzzer makes."""
