"""Sends the depths of a broker's queues to a metric listener: the engine watches queues, its own or others.

Every five minutes, `<prefix>-allq-ready.avg`, the messages that wait in all queues, and `<prefix>-q-<queue>-ready.avg` for
each queue that is named. Start it with `python -m htmengine.monitors.rmq_metric_collector_agent`.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from htmengine import config
from htmengine.bus.rabbitmq.management import Management
from htmengine.errors import ExplainedError
from htmengine.service.program import configure_logging

INTERVAL_S: Final = 300
TIMEOUT_S: Final = 10.0
NAME: Final = "rmq_metric_collector"

log = logging.getLogger(__name__)


def depths(broker: config.Broker) -> dict[str, int]:
    """Return the messages that wait in each queue, by its name, from the broker's management interface. Raises OSError."""
    found: Counter[str] = Counter()
    with Management(broker, timeout_s=TIMEOUT_S) as management:
        for queue in management.queues():
            found[queue["name"]] += queue.get("messages_ready", 0)
    return found


def lines(ready: Mapping[str, int], queues: Sequence[str], prefix: str, now: int) -> list[str]:
    """Return the samples as lines; a queue that is not there is left out, with a warning."""
    found = [f"{prefix}-allq-ready.avg {sum(ready.values())} {now}"]
    for queue in queues:
        if queue in ready:
            found.append(f"{prefix}-q-{queue}-ready.avg {ready[queue]} {now}")
        else:
            log.warning("%s.no_such_queue queue=%s", NAME, queue)
    return found


def send(samples: Sequence[str], address: tuple[str, int]) -> None:
    """Send lines to a metric listener. Raises OSError."""
    with socket.create_connection(address, timeout=TIMEOUT_S) as peer:
        peer.sendall("".join(f"{line}\n" for line in samples).encode())


def _host_and_port(address: str, default: int) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(f"//{address}")
    return parts.hostname or "127.0.0.1", parts.port or default


def main(argv: Sequence[str] | None = None) -> None:
    """Collect and send until the process is ended; with --dryrun, print one collection instead."""
    try:
        configured = config.load_broker(config.config_dir_from_environment())
    except ExplainedError as error:
        sys.exit(f"{error}\n{error.hint}")
    parser = argparse.ArgumentParser(
        prog=NAME,
        description=(__doc__ or "").partition("\n")[0],
        epilog="Broker, user, password and TLS are by default those of rabbitmq.conf in APPLICATION_CONFIG_PATH.",
    )
    parser.add_argument(
        "--rmq-addr",
        default=(configured.host, configured.management_port),
        type=partial(_host_and_port, default=configured.management_port),
        metavar="HOST[:PORT]",
        help="management interface",
    )
    parser.add_argument("--rmq-user", default=configured.user)
    parser.add_argument("--rmq-pass", default=configured.password, help="seen by who lists processes")
    parser.add_argument("--rmq-queues", default="", metavar="Q,Q,…", help="queues with a metric of their own")
    parser.add_argument(
        "--metric-addr",
        default=("127.0.0.1", 2003),
        type=partial(_host_and_port, default=2003),
        metavar="HOST[:PORT]",
        help="metric listener [default: 127.0.0.1:2003]",
    )
    parser.add_argument("--metric-prefix", default="rmq", help="begins the names of the metrics")
    parser.add_argument(
        "--dryrun", action="store_true", help="print the samples once instead of sending them"
    )
    options = parser.parse_args(argv)
    configure_logging()
    host, port = options.rmq_addr
    broker = msgspec.structs.replace(
        configured, host=host, management_port=port, user=options.rmq_user, password=options.rmq_pass
    )
    queues = [queue.strip() for queue in options.rmq_queues.split(",") if queue.strip()]
    while True:
        began = time.monotonic()
        try:
            ready = depths(broker)
            samples = lines(ready, queues, options.metric_prefix, int(time.time()))
            if options.dryrun:
                print("\n".join(samples))
                return
            send(samples, options.metric_addr)
            log.info("%s.sent metrics=%d", NAME, len(samples))
        except OSError as error:
            if options.dryrun:
                sys.exit(f"{NAME}: {error}")
            log.warning("%s.not_sent reason=%s", NAME, error)
        time.sleep(max(0.0, began + INTERVAL_S - time.monotonic()))


if __name__ == "__main__":
    main()
