"""What every service is made of: its loop, its program, what it opens, and what it says of itself."""
