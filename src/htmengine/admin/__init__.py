"""Work on a whole installation: checking it, and making it anew."""
