"""How much memory there is, told by the machine and by control groups."""

import pytest

from htmengine.system.memory import available_bytes


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
