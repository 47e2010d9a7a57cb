"""A module for each protocol by which samples come in: bytes or text in; names, values, seconds and refusals out."""
