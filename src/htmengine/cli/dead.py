"""What `htmengine dead` does: find dead letters, and show their bodies."""

from contextlib import suppress
from typing import Any

from htmengine.bus import DeadLetter
from htmengine.errors import MisuseError
from htmengine.service.context import Context

_PAGE = 1000


def dead_letter(context: Context, letter_id: int) -> dict[str, Any]:
    """Return a dead letter with as much of its body as can be read. Raises MisuseError."""
    for letter in context.bus.dead_letters(limit=1, after=letter_id - 1):
        if letter.id == letter_id:
            return {
                "id": letter.id,
                "queue": letter.queue,
                "reason": letter.reason,
                "deliveries": letter.deliveries,
                "diedAt": letter.died_at,
                "headers": dict(letter.headers),
                "body": _readable(letter),
            }
    raise _unknown(letter_id)


def dead_ids(context: Context, ids: list[int] | None, *, everything: bool) -> list[int]:
    """Return the ids that the user named, or those of all dead letters. Raises MisuseError where it is neither."""
    if bool(ids) == everything:
        raise MisuseError("Name dead letters, or all of them.", hint="Give ids, or --all.")
    found: list[int] = []
    while page := context.bus.dead_letters(limit=_PAGE, after=found[-1] if found else 0):
        found += [letter.id for letter in page]
    if not ids:
        return found
    if missing := sorted(set(ids) - set(found)):
        raise _unknown(*missing)
    return ids


def _unknown(*ids: int) -> MisuseError:
    return MisuseError(
        f"{', '.join(map(str, ids))}: there is no such dead letter.", hint="`htmengine dead list` shows them."
    )


def _readable(letter: DeadLetter) -> Any:
    """Return the body as JSON or text where it is that, else as hexadecimal digits."""
    import json

    import msgspec

    unreadable = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)
    with suppress(*unreadable):
        return json.loads(json.dumps(msgspec.json.decode(letter.body), allow_nan=False))
    with suppress(UnicodeDecodeError):
        return letter.body.decode("utf-8")
    with suppress(*unreadable):
        return json.loads(json.dumps(msgspec.msgpack.decode(letter.body), allow_nan=False))
    return letter.body.hex()
