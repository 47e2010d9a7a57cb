from hypothesis import given
from hypothesis import strategies as st

from htmengine.histories.source import Points
from htmengine.histories.windows import piecewise

TIMES = st.lists(st.integers(0, 10**8), unique=True, max_size=60).map(sorted)


@given(TIMES, st.integers(0, 10**8), st.integers(0, 10**8))
def test_every_sample_of_a_time_comes_once_and_in_order(times, since, until):
    asked = []

    def ask(begin, end):
        asked.append((begin, end))
        inside = [float(time) for time in times if begin <= time <= end]
        return Points(inside, [time / 2 for time in inside])

    pieces = list(piecewise(float(since), float(until), ask))
    found = [time for piece in pieces for time in piece.timestamps]
    assert found == [time for time in times if since <= time <= until]
    assert [value for piece in pieces for value in piece.values] == [time / 2 for time in found]
    assert all(piece.timestamps for piece in pieces)
    assert all(begin <= end for begin, end in asked) or since > until


def test_pieces_are_shorter_where_there_is_much():
    lengths = []

    def ask(begin, end):
        lengths.append(end - begin)
        times = [float(time) for time in range(int(begin), int(end) + 1, 2)]
        return Points(times, times)

    total = sum(len(piece.timestamps) for piece in piecewise(0.0, 10 * 86_400.0, ask))
    assert total == 10 * 43_200 + 1
    assert lengths[-2] < lengths[0]
