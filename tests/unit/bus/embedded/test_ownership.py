from hypothesis import given
from hypothesis import strategies as st

from htmengine.bus.embedded.ownership import share

CONSUMERS = st.sets(st.integers(1, 50), min_size=1, max_size=8)
HOLDERS = st.dictionaries(st.integers(1, 80), st.none() | st.integers(1, 50), max_size=40)


def counts(shares, consumers):
    return [list(shares.values()).count(consumer) for consumer in consumers]


@given(owners=HOLDERS, consumers=CONSUMERS)
def test_every_queue_has_a_consumer_and_all_have_the_same_number_or_one_more(owners, consumers):
    shares = share(owners, sorted(consumers))
    assert shares.keys() == owners.keys()
    assert set(shares.values()) <= consumers
    assert max(counts(shares, consumers)) - min(counts(shares, consumers)) <= 1


@given(owners=HOLDERS, consumers=CONSUMERS)
def test_what_is_shared_evenly_stays_as_it_is(owners, consumers):
    shares = share(owners, sorted(consumers))
    assert share(shares, sorted(consumers, reverse=True)) == shares


@given(queues=st.sets(st.integers(1, 80)), consumers=CONSUMERS, newcomer=st.integers(51, 60))
def test_a_consumer_that_joins_takes_only_what_it_gets_itself(queues, consumers, newcomer):
    before = share(dict.fromkeys(queues), sorted(consumers))
    after = share(before, [*consumers, newcomer])
    assert {after[queue] for queue in queues if after[queue] != before[queue]} <= {newcomer}


@given(queues=st.sets(st.integers(1, 80)), consumers=CONSUMERS)
def test_of_one_that_leaves_only_its_own_queues_move(queues, consumers):
    before = share(dict.fromkeys(queues), [*consumers, 99])
    after = share(before, sorted(consumers))
    assert {before[queue] for queue in queues if after[queue] != before[queue]} <= {99}


@given(queues=st.sets(st.integers(1, 80), min_size=1), consumers=CONSUMERS, newcomer=st.integers(51, 60))
def test_queues_that_move_one_at_a_time_end_where_they_were_to_go(queues, consumers, newcomer):
    owners = share(dict.fromkeys(queues), sorted(consumers))
    everyone = [*consumers, newcomer]
    wanted = share(owners, everyone)
    for queue in sorted(queues, reverse=True):
        assert share(owners, everyone) == wanted
        owners[queue] = wanted[queue]
    assert share(owners, everyone) == wanted
