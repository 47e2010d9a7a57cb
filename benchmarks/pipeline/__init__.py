"""Samples per second and latency from a line on the port to a published result."""
