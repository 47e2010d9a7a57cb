"""Where the broker is, and who asks."""

from __future__ import annotations

import ssl

from htmengine.config import Broker, config_dir_from_environment, load_broker
from htmengine.config.tls import client_context
from nta.utils import CONF_DIR
from nta.utils.config import Config


class RabbitmqConfig(Config):
    """`rabbitmq.conf` of the application's configuration directory, or of this package where there is none."""

    CONFIG_NAME = "rabbitmq.conf"

    def __init__(self, mode: int = Config.MODE_LOGICAL) -> None:
        own = config_dir_from_environment()
        has_own = own is not None and (own / self.CONFIG_NAME).exists()
        super().__init__(self.CONFIG_NAME, str(own) if has_own else CONF_DIR, mode)


class PlainCredentials:
    """User and password; the password is not shown."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r}, password=OBFUSCATED)"


class ConnectionParams:
    """Address of the broker; what is not given is that of a fresh broker on this machine.

    `sslContext` encrypts the connection, and says whom to trust for the broker and how to show who we are. A broker that
    does not answer within `timeoutSec` seconds is unavailable.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        vhost: str | None = None,
        credentials: PlainCredentials | None = None,
        sslContext: ssl.SSLContext | None = None,
        timeoutSec: float = 30.0,
    ) -> None:
        self.host = "localhost" if host is None else host
        self.port = 5672 if port is None else port
        self.vhost = "/" if vhost is None else vhost
        self.credentials = PlainCredentials("guest", "guest") if credentials is None else credentials
        self.sslContext = sslContext
        self.timeoutSec = timeoutSec

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(host={self.host!r}, port={self.port}, vhost={self.vhost!r}, "
            f"credentials={self.credentials!r}, encrypted={self.sslContext is not None})"
        )


class RabbitmqManagementConnectionParams:
    """Address of the broker's management interface, from the configuration; encrypted if the connection is."""

    def __init__(self) -> None:
        broker = configuredBroker()
        self.host = broker.host
        self.port = broker.management_port
        self.vhost = broker.virtual_host
        self.username = broker.user
        self.password = broker.password
        self.sslContext = client_context(broker)


def configuredBroker() -> Broker:
    """Return what the configuration says of the broker, as the engine's services read it. Raises ConfigError."""
    return load_broker(config_dir_from_environment())


def getRabbitmqConnectionParameters() -> ConnectionParams:
    """Return the broker's address from the configuration. Raises ConfigError."""
    broker = configuredBroker()
    return ConnectionParams(
        host=broker.host,
        port=broker.port,
        vhost=broker.virtual_host,
        credentials=PlainCredentials(broker.user, broker.password),
        sslContext=client_context(broker),
        timeoutSec=broker.timeout_s,
    )
