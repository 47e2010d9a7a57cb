"""Documented imports, names, arguments and uses."""
