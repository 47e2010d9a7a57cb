"""Numbers of the protocol."""

from typing import Final


class AMQPDeliveryModes:
    """Whether a message survives a restart of the broker."""

    NON_PERSISTENT_MESSAGE: Final = 1
    PERSISTENT_MESSAGE: Final = 2


class AMQPErrorCodes:
    """Codes of errors that callers tell apart."""

    NOT_FOUND: Final = 404
