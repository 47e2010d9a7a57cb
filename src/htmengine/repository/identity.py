"""Digests that tell a sample from another one that has its rowid.

A repository that is rolled back gives the rowids of lost samples to new ones, while messages and checkpoints of the
lost samples may still be there. So a rowid goes with a digest of the metric's samples up to that row. It is the sum of
a hash of each, so that many are computed at once, and the digest before a sample follows from the one behind it. The
timestamps of a metric ascend: a set of samples has one order only.

Digests are whole numbers below 2**63. `UNKNOWN` stands where there is none: for rows and messages of versions before
digests, which are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy.typing as npt

UNKNOWN: Final = 0
MASK: Final = (1 << 63) - 1


def hashes(timestamps: npt.ArrayLike, values: npt.ArrayLike) -> list[int]:
    """Return a hash of each sample. A database may store -0.0 as 0.0, so that both have the same."""
    from htmengine.repository.sample_hashes import of_samples  # here: who compares digests needs no numpy

    return of_samples(timestamps, values).tolist()  # type: ignore[no-any-return]


def start(rowid: int, tail_timestamp: int | None) -> int:
    """Return the digest behind a metric's last row where none was computed: before the first row, or an upgrade."""
    return of(rowid, tail_timestamp)


def extended(digest: int, timestamps: npt.ArrayLike, values: npt.ArrayLike) -> Iterator[int]:
    """Return the digest of each sample that follows a row with this digest."""
    for own in hashes(timestamps, values):
        digest = (digest + own) & MASK
        yield digest


def before(digests: Sequence[int], timestamps: Sequence[int], values: Sequence[float]) -> list[int]:
    """Return, of samples with these digests, the digest of the row before each."""
    of_rows = zip(digests, hashes(timestamps, values), strict=True)
    return [UNKNOWN if digest == UNKNOWN else (digest - own) & MASK for digest, own in of_rows]


def of(*facts: object) -> int:
    """Return a digest of numbers, text and bytes."""
    return int.from_bytes(blake2b(repr(facts).encode(), digest_size=8).digest(), "little") & MASK


def with_model(digest: int, model_digest: int) -> int:
    """Return one digest of a row's samples and of the model that has learned them; or, of that and the model, the row's.

    It is `UNKNOWN` if the row's is.
    """
    return digest and digest ^ model_digest
