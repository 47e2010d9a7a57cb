"""The work of `htmengine detect`."""
