"""What every bus promises where a message kills the process that takes it."""

import time

from htmengine.bus import MAX_DELIVERIES
from tests.unit.bus.contract import TIMEOUT_S, bodies, put


class KillingContract:
    settle_s = 0.0  # as in `BusContract`

    def test_a_message_that_kills_its_process_becomes_a_dead_letter_and_its_neighbours_survive(
        self, bus, remote
    ):
        neighbours = [f"n{i}" for i in range(4)]
        put(bus, "q", *neighbours[:2], "poison", *neighbours[2:])
        put(bus, "r", *map(str, range(4)))
        for _ in range(MAX_DELIVERIES):
            remote("q", "r").receive_and_die("poison")
        with bus.consume(["q", "r"]) as consumer:
            left = []
            deadline = time.monotonic() + TIMEOUT_S
            while time.monotonic() < deadline:
                got = consumer.receive(max_messages=10, timeout_s=2 * self.settle_s)
                if not got and bus.dead_letters():
                    break
                left += got
                consumer.ack(got)
        assert b"poison" not in bodies(left)
        (letter,) = bus.dead_letters()
        assert (letter.body, letter.deliveries) == (b"poison", MAX_DELIVERIES)
        assert "never acknowledged" in letter.reason
