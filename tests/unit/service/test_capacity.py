"""What a machine can carry, by what was measured on it."""

import msgspec
import pytest

from htmengine import config
from htmengine.service import capacity
from htmengine.service.capacity import HEADROOM, LARGE_FLEET, Measured, promise, promises, use

MEASURED = Measured(
    at=1_700_000_000.0,
    seconds=27.0,
    metrics=1000,
    real=False,
    cores=2,
    samples_per_second=10_000 / HEADROOM * LARGE_FLEET,
    cpu_us_per_sample=40.0,
    written_bytes_per_sample=5000.0,
    bytes_per_model=45e3,
    bytes_per_checkpoint=20e3,
    bytes_per_row=100.0,
    memory_bytes=12_000_000_000,
    disk_bytes=1_000_000_000_000,
    beside_engine=False,
)


def test_short_intervals_are_limited_by_the_rate_and_long_ones_by_memory():
    assert [(it.interval_s, it.metrics, it.limit) for it in promises(MEASURED)] == [
        (10, 100_000, "cpu"),
        (60, 200_000, "memory"),
        (300, 200_000, "memory"),
    ]


def test_history_is_what_the_disk_has_room_for():
    found = promise(MEASURED, 300)
    taken = found.metrics * (capacity.CHECKPOINTS * 20e3 + found.history_days * 288 * 100.0)
    assert taken == pytest.approx(MEASURED.disk_bytes)


def test_a_small_disk_is_the_limit_at_a_day_of_history():
    found = promise(msgspec.structs.replace(MEASURED, disk_bytes=1_000_000_000), 300)
    assert found.limit == "disk"
    assert found.history_days == pytest.approx(capacity.LEAST_DAYS, rel=1e-3)


def test_a_full_disk_carries_nothing():
    assert promise(msgspec.structs.replace(MEASURED, disk_bytes=0), 60) == (60, 0, "disk", 0.0)


@pytest.mark.parametrize(
    ("models", "rate", "limit", "share"),
    [(180_000, 1000.0, "memory", 0.9), (1000, 8000.0, "cpu", 0.8), (100_000, None, "memory", 0.5)],
)
def test_what_is_used_most_counts(models, rate, limit, share):
    found = use(MEASURED, models=models, samples_per_second=rate)
    assert (found.limit, found.share) == (limit, pytest.approx(share, rel=1e-4))


def test_it_is_kept_in_the_data_folder(tmp_path):
    settings = config.embedded(tmp_path)
    assert capacity.load(settings) is None
    capacity.store(settings, MEASURED)
    assert capacity.load(settings) == MEASURED
    (tmp_path / capacity.FILE).write_text("{")
    assert capacity.load(settings) is None


@pytest.mark.parametrize("models", [1, 1000, 50_000, 1_000_000])
def test_what_is_needed_leaves_room_for_all_models_and_a_mebibyte_less_does_not(models):
    size = capacity.need(models).packed
    mebibytes = capacity.resident_mebibytes(size)
    assert config.Scheduler(resident_bytes=mebibytes << 20).model_bytes >= size
    assert config.Scheduler(resident_bytes=(mebibytes - 1) << 20).model_bytes < size
