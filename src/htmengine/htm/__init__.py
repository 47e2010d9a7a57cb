"""Numerics only: arrays in, arrays out. No input or output, no clock, no configuration, no logging."""
