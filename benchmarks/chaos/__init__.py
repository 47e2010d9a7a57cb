"""Kill the engine again and again, and compare what it stored with an undisturbed run."""
