"""Where notices go: a module for each kind of target."""
