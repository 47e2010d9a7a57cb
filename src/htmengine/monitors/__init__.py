"""Programs that watch the engine's servers."""
