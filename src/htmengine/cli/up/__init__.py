"""The work of `htmengine up`."""
