"""A blocking AMQP client under the names of the original engine's, built on pika."""
