"""Configuration files with overrides, under their documented name."""

from htmengine.config.files import Config as Config
