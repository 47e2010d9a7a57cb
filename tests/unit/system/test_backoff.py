import pytest

from htmengine.system.backoff import Backoff, retry


class AwayError(Exception):
    pass


def failing(times, error=AwayError):
    left = [error] * times

    def action():
        if left:
            raise left.pop()
        return "done"

    return action


def test_pauses_double_up_to_the_longest_which_may_change_on_the_way():
    backoff = Backoff(0.1, 0.5)
    assert [backoff.pause() for _ in range(4)] == [0.1, 0.2, 0.4, 0.5]
    backoff.max_s = 3.0
    assert backoff.next_s == 1.0
    assert [backoff.pause() for _ in range(3)] == [1.0, 2.0, 3.0]
    assert backoff.pauses == 7
    assert backoff.waited_s == pytest.approx(7.2)


def test_an_action_is_called_until_it_succeeds():
    slept = []
    assert retry(failing(3), AwayError, Backoff(1.0, 2.0), sleep=slept.append) == "done"
    assert slept == [1.0, 2.0, 2.0]


def test_an_error_that_is_not_worth_another_attempt_is_raised():
    backoff, slept = Backoff(1.0, 1.0), []
    with pytest.raises(AwayError):
        retry(failing(9), AwayError, backoff, worth=lambda _: backoff.pauses < 2, sleep=slept.append)
    assert slept == [1.0, 1.0]


def test_other_errors_are_raised_at_once():
    slept = []
    with pytest.raises(KeyError):
        retry(failing(1, KeyError), AwayError, Backoff(1.0, 1.0), sleep=slept.append)
    assert slept == []
