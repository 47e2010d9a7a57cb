"""Lets `python -m htmengine.runtime.metric_listener` run the listener."""

import sys

from htmengine.runtime.metric_listener.server import main

sys.exit(main())
