"""A consumer in a process of its own, told what to do line by line; it can be killed as by kill -9."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from htmengine.bus import Outgoing
from htmengine.bus.embedded.bus import EmbeddedBus
from htmengine.bus.rabbitmq.bus import RabbitBus
from htmengine.config import Broker


class Remote:
    def __init__(self, where, *queues):
        """`where`: the embedded bus's file, or what a RabbitBus is made with."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.bus.remote", json.dumps(where, default=str), *queues],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def receive(self, max_messages=10, timeout_s=0):
        """Return (queue, body, deliveries, epoch) of each message."""
        return [tuple(message) for message in self._ask("receive", max_messages, timeout_s)]

    def ack_all(self):
        self._ask("ack_all")

    def publish(self, queue, *texts):
        self._ask("publish", queue, *texts)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def receive_and_die(self, text):
        """Let it take and acknowledge messages until it meets one with this text, which kills it."""
        self._tell("receive_and_die", text)
        assert self.process.wait(60) == -signal.SIGKILL

    def close(self):
        self.process.kill()
        self.process.communicate()

    def _ask(self, *command):
        self._tell(*command)
        return self._answer()

    def _tell(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def _answer(self):
        return json.loads(self.process.stdout.readline())


def opened(where):
    if isinstance(where, str):
        return EmbeddedBus(Path(where))
    return RabbitBus(Broker(**where.pop("broker")), **where)


def main(where, *queues):
    bus = opened(json.loads(where))
    consumer = bus.consume(queues)
    unacked = []

    def receive(max_messages, timeout_s):
        got = consumer.receive(max_messages=max_messages, timeout_s=timeout_s)
        unacked.extend(got)
        return [(d.queue, d.body.decode(), d.deliveries, d.epoch) for d in got]

    def ack_all():
        consumer.ack(unacked)
        unacked.clear()

    def publish(queue, *texts):
        bus.publish([Outgoing(queue, text.encode()) for text in texts])

    def receive_and_die(text):
        while True:
            if any(body == text for _, body, *_ in receive(10, 10)):
                os.kill(os.getpid(), signal.SIGKILL)
            ack_all()

    print('"ready"', flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(locals()[name](*arguments)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
