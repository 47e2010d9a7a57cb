"""The work of `htmengine status` and `htmengine doctor`."""
