import json

import msgspec
import pytest

from htmengine.bus import DeadLetter
from htmengine.cli import dead


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}),
        (b"a line", "a line"),
        (msgspec.msgpack.encode({"a": [1, None]}), {"a": [1, None]}),
        (b"\xff\xfe", "fffe"),
        (b"[NaN]", "[NaN]"),
        (b"[" * 100_000, "[" * 100_000),
        (b"\x91" * 100_000 + b"\xc0", (b"\x91" * 100_000 + b"\xc0").hex()),
        (b'"\\ud800"', '"\\ud800"'),
    ],
    ids=["json", "text", "packed", "bytes", "nan", "deep", "deep packed", "surrogate"],
)
def test_a_dead_letter_is_shown_whatever_is_in_it(body, shown):
    letter = DeadLetter(id=1, queue="q", body=body, headers={}, reason="bad", deliveries=1, died_at=0.0)
    found = dead._readable(letter)
    json.dumps(found, allow_nan=False)
    assert found == shown
