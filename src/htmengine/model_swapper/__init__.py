"""The models of all metrics: which are in memory, which wait as checkpoints, and what they score."""
