"""Names of the original engine's companion packages."""
