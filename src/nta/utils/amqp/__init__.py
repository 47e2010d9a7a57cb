"""A blocking AMQP client under the names of the original engine's, built on pika."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nta.utils.amqp import connection as connection
from nta.utils.amqp import constants as constants
from nta.utils.amqp import consumer as consumer
from nta.utils.amqp import exceptions as exceptions
from nta.utils.amqp import messages as messages
from nta.utils.amqp import queue as queue

if TYPE_CHECKING:
    from nta.utils.amqp import synchronous_amqp_client as synchronous_amqp_client
else:

    def __getattr__(name: str) -> Any:
        # Imported when it is asked for: the other modules are needed without a broker, too, and only this one needs pika.
        if name == "synchronous_amqp_client":
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
