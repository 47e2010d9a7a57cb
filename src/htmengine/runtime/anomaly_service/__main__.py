"""Lets `python -m htmengine.runtime.anomaly_service` run the service."""

from htmengine.runtime.anomaly_service.stage import NAME, build
from htmengine.service.program import main

main(build, NAME)
