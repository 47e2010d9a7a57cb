"""The model scheduler: models in memory, and their checkpoints. The documented names: configuration and interface."""

from __future__ import annotations

from htmengine.config import required_config_dir
from htmengine.config.files import Config


class _ApplicationConfig(Config):
    """A file of the application's configuration directory. Raises ApplicationNotConfiguredError where none is named."""

    CONFIG_NAME: str

    def __init__(self, mode: int = Config.MODE_LOGICAL) -> None:
        super().__init__(self.CONFIG_NAME, str(required_config_dir()), mode)


class ModelSwapperConfig(_ApplicationConfig):
    """`model-swapper.conf`."""

    CONFIG_NAME = "model-swapper.conf"


class ModelCheckpointConfig(_ApplicationConfig):
    """`model-checkpoint.conf`."""

    CONFIG_NAME = "model-checkpoint.conf"
