"""Anomalies of a file: a model of its own reads each series from its first row to its last."""
