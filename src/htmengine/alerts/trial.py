"""A test message to a target: sent at once, by whoever asks, and not kept."""

from __future__ import annotations

import secrets
import time
from typing import NamedTuple

from htmengine.alerts import deliveries
from htmengine.alerts.notice import trial_notice
from htmengine.alerts.targets.api import Delivered, Target
from htmengine.repository.database import Database


class Result(NamedTuple):
    """What came of it."""

    delivered: bool
    reason: str
    """What the receiver said, or why it was not delivered; without secrets."""


def send(database: Database, target: Target, *, page: str = "") -> Result:
    """Send a test message. A target that was disabled is used again when it takes it."""
    with database.write() as conn:
        installation = deliveries.installation_id(conn)
    outcome = target.send(trial_notice(f"test-{secrets.token_hex(6)}", installation, time.time(), url=page))
    if not isinstance(outcome, Delivered):
        return Result(False, outcome.reason)
    with database.write() as conn:
        deliveries.enable(conn, target.name)
    return Result(True, outcome.note)
