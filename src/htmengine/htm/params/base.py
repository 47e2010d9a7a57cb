"""Base classes of the parameters of all models."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec

DEFAULT_SEED: Final = 42

MAX_MAGNITUDE: Final = 1e300
"""Models take values up to so far from zero; those beyond count as this."""


class Classifier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SDR classifier: best predictions several steps ahead. Decision 9: the models of NuPIC have one with its faults."""

    steps: tuple[int, ...] = (1,)
    """Samples ahead, ascending, 1 to 100; at most 16 of them."""
    alpha: float = 0.035828933612157998
    """Rate of learning; the models of NuPIC round it to six digits, as NuPIC did."""
    value_gain: float = 0.3
    """Share of a new value in the moving average of its bucket."""
    max_buckets: int = 128
    """A value in a further bucket counts as one in the nearest. Bounds the state."""


class Likelihood(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anomaly likelihood: how the raw score's running average compares with its history."""

    schedule: Literal["streaming", "engine"]
    """When the distribution is fitted: as NuPIC's class does, or as the original engine did."""
    averaging_window: int = 10
    """Raw scores in an average."""
    learning: int
    """Records that no fit uses, as the model is still learning."""
    probation: int
    """Records before the first fit, which get no real score."""
    history: int = 8640
    """Records in the window that is fitted."""
    refit: int
    """Records between two fits."""
    mean_floor: float = 0.03
    variance_floor: float = 0.0003
    flat_variance: float = 1.5e-5
    """A metric of less variance is flat: nothing about it is unusual. 0 switches the rule off."""
    two_sided: bool = False
    """Whether an average far below its mean is unusual, too."""
    red_filter: bool = True
    """Whether all but the first of a run of extreme scores are lowered."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """Parameters of a model."""

    name: str
    classifier: Classifier | None = None
    """Without one there are no predictions."""

    def to_json(self) -> bytes:
        """Return the parameters as JSON, with every field."""
        return msgspec.json.encode(self, order="sorted")

    def digest(self) -> bytes:
        """Return 16 bytes that differ when any parameter differs."""
        return hashlib.blake2b(self.to_json(), digest_size=16).digest()
