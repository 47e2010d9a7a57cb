#!/usr/bin/env python
"""Delete everything that the application has stored, and make its database anew. Stop its services first."""

import sys

from htmengine import config
from htmengine.admin import reset
from htmengine.errors import ExplainedError

if __name__ == "__main__":
    try:
        reset.reset(config.load(config.required_config_dir()))
    except ExplainedError as error:
        sys.exit(f"{error}\n{error.hint}")
