"""Metrics that fall silent: how regularly each one comes is learned, and a gap beyond that is a finding."""
