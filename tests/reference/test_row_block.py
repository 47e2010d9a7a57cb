"""The kernel that packs rows against its twin: the same bytes, and the same rows out of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm import _kernels
from htmengine.repository.embedded import blocks
from tests.reference import row_block
from tests.reference.row_block_cases import rows_of_any_kind, same, scored, tables


@given(rows_of_any_kind())
def test_bytes_and_columns_are_those_of_the_twin(columns):
    block = blocks.encode(tables(columns))
    assert block == row_block.encode(columns)
    same(columns, row_block.Block(block))
    same(columns, blocks.Block(block))


@pytest.mark.parametrize("nulls", [[], [3], range(20), range(512)])
@pytest.mark.parametrize("name", ["value", "log_score", "sequence_score", "forecast", "usual_high"])
def test_rows_that_a_model_scored_have_the_bytes_of_the_twin(name, nulls):
    columns = scored(512)
    columns[name][list(nulls)] = np.nan
    block = blocks.encode(tables(columns))
    assert block == row_block.encode(columns)
    same(columns, blocks.Block(block))


@given(rows_of_any_kind(), st.data())
def test_a_damaged_block_is_refused_or_read_but_nothing_else(columns, data):
    """Whatever the bytes are, nothing is read from outside of them."""
    body, described, noise = _kernels.pack_rows(*tables(columns)[:2], b"\xc0", b"[]")
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        block = _kernels.RowBlock(bytes(damaged), described, noise)
        found = block.columns(list(range(len(blocks.COLUMNS) - 1)))
    except ValueError as error:
        assert "damaged" in str(error)  # noqa: PT017  (it may be raised, or not)
    else:
        assert {len(column) for column in found} == {block.rows}


def test_rows_become_columns_with_a_number_in_place_of_null():
    rows = [(1, None, 0.5, 3, "text"), (2, -(2**63), None, -0.0, None)]
    integers, reals = _kernels.rows_as_columns(rows, 2, 2, -1)
    assert integers.tolist() == [[1, 2], [-1, -(2**63)]]
    np.testing.assert_array_equal(reals, [[0.5, np.nan], [3.0, -0.0]])
    assert [table.shape for table in _kernels.rows_as_columns([], 2, 3, 0)] == [(2, 0), (3, 0)]


@pytest.mark.parametrize("row", [("a", 0.5), (1, "a"), (1,), [1, 0.5], (2**63, 0.5)])
def test_a_row_of_another_kind_is_refused(row):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        _kernels.rows_as_columns([row], 1, 1, 0)
