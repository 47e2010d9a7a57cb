import pytest

from htmengine.errors import MisuseError
from htmengine.service import fault_injection
from htmengine.service.fault_injection import no_step


def test_the_process_is_killed_when_its_step_is_done_for_the_given_time():
    kills = []
    step = fault_injection.from_environment(
        {"HTMENGINE_KILL_AT": "metric_storer.committed:2"}, lambda: kills.append(1)
    )
    step("metric_storer.committed")
    step("metric_storer.published")
    assert not kills
    step("metric_storer.committed")
    assert len(kills) == 1


def test_without_the_variable_steps_do_nothing():
    assert fault_injection.from_environment({}) is no_step


@pytest.mark.parametrize("value", ["committed", ":3", "a.b:", "a.b:0", "a.b:x", "a.b:-1"])
def test_a_malformed_variable_is_refused_with_an_example(value):
    with pytest.raises(MisuseError, match="HTMENGINE_KILL_AT") as caught:
        fault_injection.from_environment({"HTMENGINE_KILL_AT": value})
    assert "metric_storer.committed:3" in caught.value.hint
