#!/usr/bin/env python
"""Delete everything that the application has stored, and make its database anew. Stop its services first."""

from htmengine import config
from htmengine.runtime import resetting

if __name__ == "__main__":
    resetting.reset(config.load(config.required_config_dir()))
