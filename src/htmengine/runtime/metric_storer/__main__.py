"""Lets `python -m htmengine.runtime.metric_storer` run the storer."""

from htmengine.runtime.metric_storer import runServer

runServer()
