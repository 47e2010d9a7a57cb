"""The behaviours that the original engine's integration tests state, against the supervised application."""
