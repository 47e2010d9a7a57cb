#!/usr/bin/env python
"""Delete everything that the application has stored, and make its database anew. Stop its services first."""

import sys

from htmengine import config
from htmengine.errors import ExplainedError
from htmengine.runtime import resetting

if __name__ == "__main__":
    try:
        resetting.reset(config.load(config.required_config_dir()))
    except ExplainedError as error:
        sys.exit(f"{error}\n{error.hint}")
