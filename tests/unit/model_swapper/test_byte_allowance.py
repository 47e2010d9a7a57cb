"""What may be written a second."""

from htmengine.model_swapper.byte_allowance import ByteAllowance


def test_what_is_spent_comes_back_with_time_and_no_more_than_a_second_of_it_is_kept():
    now = [100.0]
    allowance = ByteAllowance(1000, lambda: now[0])
    assert allowance.bytes == 0
    now[0] += 0.5
    assert allowance.bytes == 500
    allowance.spend(800)
    assert allowance.bytes == -300
    now[0] += 0.25
    assert allowance.bytes == -50
    now[0] += 60
    assert allowance.bytes == 1000
