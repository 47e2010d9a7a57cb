"""A pool whose models are packed now and then scores as one whose models never are."""

import numpy as np
import pytest
from msgspec.structs import replace

from htmengine.htm import params
from htmengine.htm.model import Block, Model
from htmengine.htm.packing_pool import PackingPool
from htmengine.htm.pool import SCORED, UNREADABLE

DEFAULT = params.parameter_set("default")
PREDICTING = params.parameter_set("default", predict=(1, 3))
NUPIC = params.parameter_set("nupic-tm", minimum=0, maximum=9)
NEVER_PACKED = replace(NUPIC, pooler=replace(NUPIC.pooler, columns=128))
"""Of fewer columns than NuPIC has, which are loaded as slowly as a hundred other models."""
SETS = [*[DEFAULT, PREDICTING] * 4, NEVER_PACKED]


def series(model, rows):
    random = np.random.default_rng(model)
    return 300.0 * np.arange(rows), np.sin(np.arange(rows) / (3 + model)) + random.normal(
        scale=0.1, size=rows
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_packing_changes_no_score(threads):
    random = np.random.default_rng(5)
    count, rows = len(SETS), 100
    data = [series(number, rows) for number in range(count)]
    expected = [Model(SETS[number]).score_and_predict(*data[number]) for number in range(count)]
    pool = PackingPool()
    for number in range(count):
        pool.add_new(number, SETS[number])
    at = [0] * count
    while min(at) < rows:
        match random.integers(8):
            case 0:
                pool.pack(random.choice(count, 5).tolist(), threads=threads)
            case 1 | 2:
                pool.keep_unpacked(int(random.integers(6)))
            case 3:
                some = random.choice(count, 4, replace=False).tolist()
                for number, block in zip(some, pool.blocks(some, [7] * 4, threads=threads), strict=True):
                    read = Block.read(block)
                    assert (read.generation, read.rows) == (7, at[number])
                    pool.discard(number)
                    if read.packed:
                        pool.add_block(number, read)
                    else:
                        pool.add(number, Model.load(block))
            case 4:
                number = int(random.integers(count))
                pool.add(number, Model.load(pool.remove(number).save()))
            case _:
                some, times, values, places = [], [], [], []
                for number in random.integers(count, size=6).tolist():
                    if at[number] < rows:
                        some.append(number)
                        places.append(at[number])
                        times.append(data[number][0][at[number]])
                        values.append(data[number][1][at[number]])
                        at[number] += 1
                if not some:
                    continue
                found = pool.score(some, times, values, threads=threads)
                for i, (number, place) in enumerate(zip(some, places, strict=True)):
                    scores, predictions = expected[number]
                    for column, other in zip(found.scores, scores, strict=True):
                        np.testing.assert_array_equal(column[i], other[place])
                    wanted = {steps: float(predicted[place]) for steps, predicted in predictions.items()}
                    assert repr(found.predictions[i] if found.predictions else None) == repr(wanted or None)
        assert pool.unpacked + sum(pool.is_packed(number) for number in pool) == sum(
            pool.packs(number) for number in pool
        )


def grown(rows=300):
    model = Model(DEFAULT)
    model.score_series(*series(0, rows))
    return model


def test_what_is_packed_takes_less_memory_and_what_is_gone_none():
    pool = PackingPool()
    block = Block.read(grown().pack())
    for number in range(50):
        pool.add_block(number, block)
    packed = pool.memory
    assert pool.unpacked == 0
    assert packed < 50 * (len(block.state) + 1024)
    pool.score(range(50), [1e6] * 50, [1.0] * 50)
    assert (pool.unpacked, pool.packed_bytes) == (50, 0)
    assert pool.memory > 1.5 * packed
    pool.pack(range(50))
    for number in range(50):
        pool.discard(number)
    assert (pool.packed_bytes, len(pool)) == (0, 0)
    pool.keep_unpacked(0)
    pool.add_block("one", block)
    pool.score(["one"], [1e6], [1.0])
    assert pool.is_packed("one")


def test_a_damaged_state_is_told_and_costs_its_neighbours_nothing():
    pool = PackingPool()
    block = Block.read(grown().pack())
    damaged = bytearray(block.state)
    damaged[:4] = b"\xff\xff\xff\x7f"
    for key in "abc":
        pool.add_block(key, block if key != "b" else block._replace(state=memoryview(bytes(damaged))))
    alone = Model.load(grown().pack()).score_series([1e6, 2e6], [1.0, 2.0])
    found = pool.score("ababcc", [1e6, 1e6, 2e6, 2e6, 1e6, 2e6], [1.0, 1.0, 2.0, 2.0, 1.0, 2.0], threads=2)
    assert found.outcomes.tolist() == [SCORED, UNREADABLE] * 2 + [SCORED] * 2
    assert [pool.is_packed(key) for key in "abc"] == [False, True, False]
    for column, expected in zip(found.scores, alone, strict=True):
        assert np.isnan(column[[1, 3]]).all()
        np.testing.assert_array_equal(column[[0, 2, 4, 5]], [*expected, *expected])
    pool.discard("b")


def test_a_key_is_taken_once_and_only_packed_blocks_are_taken():
    pool = PackingPool()
    pool.add("a", grown(3))
    with pytest.raises(ValueError, match="has a model"):
        pool.add_new("a", DEFAULT)
    with pytest.raises(ValueError, match="not packed"):
        pool.add_block("b", Block.read(grown(3).save()))
    with pytest.raises(KeyError):
        pool.pack(["b"])
    pool.discard("b")
    assert list(pool) == ["a"]
