"""Real-time anomaly detection for scalar metrics with Hierarchical Temporal Memory."""
