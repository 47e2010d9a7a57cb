"""A blocking AMQP client under the names of the original engine's, built on pika."""

from nta.utils.amqp import connection as connection
from nta.utils.amqp import constants as constants
from nta.utils.amqp import consumer as consumer
from nta.utils.amqp import exceptions as exceptions
from nta.utils.amqp import messages as messages
from nta.utils.amqp import queue as queue
from nta.utils.amqp import synchronous_amqp_client as synchronous_amqp_client
