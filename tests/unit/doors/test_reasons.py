import pytest

from htmengine.doors.reasons import Reason, known, remedy_of


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_known_again_from_what_a_service_reports(reason):
    assert known(str(reason)) is reason
    assert known(f"influx: {reason}") is reason


def test_what_another_version_reports_is_not_known():
    assert known("influx: the moon is full") is None
    assert remedy_of("the moon is full") is None


def test_of_each_mistake_it_is_said_what_to_do():
    assert [reason for reason in Reason if not reason.by_policy and not reason.remedy] == []


def test_what_is_left_out_on_purpose_is_no_mistake():
    assert Reason.FIRST_OF_COUNTER.by_policy
    assert not Reason.NOT_FINITE.by_policy
