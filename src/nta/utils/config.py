"""Configuration files with overrides, under their documented name."""

from htmengine.config_files import Config as Config
