"""How much memory there is, told by the machine and by control groups."""

import platform

import psutil
import pytest

from htmengine.system.memory import available_bytes, give_back


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_control_group_may_have_less_than_the_machine(tmp_path, name):
    whole = available_bytes(tmp_path)
    assert whole > 1 << 20
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("1048576\n")
    assert available_bytes(tmp_path) == 1 << 20
    for unlimited in ("max\n", f"{1 << 62}\n", ""):
        (tmp_path / name).write_text(unlimited)
        assert available_bytes(tmp_path) == whole


def test_memory_that_lies_between_blocks_in_use_goes_back_to_the_system():
    if platform.libc_ver()[0] != "glibc":
        give_back()  # does nothing
        return
    blocks = [bytes(10_000) for _ in range(10_000)]
    kept = blocks[::100]
    del blocks
    before = psutil.Process().memory_info().rss
    give_back()
    assert psutil.Process().memory_info().rss < before - (50 << 20)
    assert len(kept) == 100
