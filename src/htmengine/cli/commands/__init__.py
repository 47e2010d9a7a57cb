"""A module for each command, with its options alone; its work stands beside this package."""
