"""Where the broker is, and who asks."""

from __future__ import annotations

import os
from pathlib import Path

from nta.utils import CONF_DIR
from nta.utils.config import Config


class RabbitmqConfig(Config):
    """`rabbitmq.conf` of the application's configuration directory, or of this package where there is none."""

    CONFIG_NAME = "rabbitmq.conf"

    def __init__(self, mode: int = Config.MODE_LOGICAL) -> None:
        application = os.environ.get("APPLICATION_CONFIG_PATH")
        has_own = application is not None and (Path(application) / self.CONFIG_NAME).exists()
        super().__init__(self.CONFIG_NAME, application if has_own and application else CONF_DIR, mode)


class PlainCredentials:
    """User and password; the password is not shown."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r}, password=OBFUSCATED)"


class ConnectionParams:
    """Address of the broker; what is not given is that of a fresh broker on this machine."""

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        vhost: str | None = None,
        credentials: PlainCredentials | None = None,
    ) -> None:
        self.host = "localhost" if host is None else host
        self.port = 5672 if port is None else port
        self.vhost = "/" if vhost is None else vhost
        self.credentials = PlainCredentials("guest", "guest") if credentials is None else credentials

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(host={self.host!r}, port={self.port}, vhost={self.vhost!r}, "
            f"credentials={self.credentials!r})"
        )


class RabbitmqManagementConnectionParams:
    """Address of the broker's management interface, from the configuration."""

    def __init__(self) -> None:
        config = RabbitmqConfig()
        self.host: str = config.get("connection", "host")
        self.port: int = config.getint("management", "port")
        self.vhost: str = config.get("connection", "virtual_host")
        self.username: str = config.get("credentials", "user")
        self.password: str = config.get("credentials", "password")


def getRabbitmqConnectionParameters() -> ConnectionParams:
    """Return the broker's address from the configuration."""
    config = RabbitmqConfig()
    return ConnectionParams(
        host=config.get("connection", "host"),
        port=config.getint("connection", "port"),
        vhost=config.get("connection", "virtual_host"),
        credentials=PlainCredentials(
            config.get("credentials", "user"), config.get("credentials", "password")
        ),
    )
