"""Metrics, samples, scores and checkpoints in SQL."""
