"""Blocks give back what was put into them, bit for bit, and are small where a model has scored the rows."""

import numpy as np
import pytest
from hypothesis import given

from htmengine.repository.embedded.blocks import COLUMNS, NULL, Block, encode
from tests.reference.row_block_cases import rows_of_any_kind, same, scored, tables


@given(rows_of_any_kind())
def test_every_bit_comes_back_whatever_the_rows_are(columns):
    same(columns, Block(encode(tables(columns))))


def test_scores_and_band_with_their_row_take_less_than_30_bytes():
    columns = scored(512)
    block = encode(tables(columns))
    assert len(block) < 30 * 512
    same(columns, Block(block))


def test_rows_that_one_model_scored_and_another_did_not_come_back():
    columns = scored(64)
    for name, column in columns.items():
        if name not in ("time", "value", "digest", "multi_step_best_predictions"):
            column[:20] = np.nan
    columns["multi_step_best_predictions"] = [None] * 20 + ['{"1":0.5}'] * 44
    same(columns, Block(encode(tables(columns))))


def test_a_score_that_does_not_follow_from_the_others_is_kept():
    columns = scored(64)
    columns["anomaly_score"][7] = np.nextafter(columns["anomaly_score"][7], 1)
    columns["display_value"][9] = 7
    columns["usual_high"][3] = 0.1  # no 32-bit float
    same(columns, Block(encode(tables(columns))))


def test_a_block_of_another_format_or_a_damaged_one_is_refused():
    block = encode(tables(scored(64)))
    with pytest.raises(ValueError, match="format 2"):
        Block(b"\x02" + block[1:])
    with pytest.raises(ValueError, match="damaged"):
        Block(block[:-1])
    with pytest.raises(ValueError, match="damaged"):
        Block(block[:20] + b"\xff\xff\xff" + block[23:])


OF_FORMAT_1 = bytes.fromhex(
    "0173000000a1009b3b69122be3c4c90c8c0c9326af48494dcecc4dcc29669c00146166983469495e694e0ef3040403a18669"
    "a22450111350db92e2c4dc54c6f3f63b6782c0ac899359105a219c031340aaf273539951f44f9accc2c800b61a6efe4404eb"
    "3fd05ae60313185925bf49be61606061646454900400"
)


def test_what_was_written_once_can_be_read_for_ever():
    columns = {name: np.full(3, np.nan) for name in COLUMNS}
    columns |= {"time": np.array([5, 6, 8]), "value": np.array([0.5, 2.5, -1.0])}
    columns |= {"log_score": np.array([0.25, 0.5, 0.1]), "novelty_score": np.array([0.25, 0.5, 0.3])}
    columns |= {"forecast": np.array([0.25, 0.5, np.nan])}
    columns |= {"digest": np.full(3, NULL), "multi_step_best_predictions": [None] * 3}
    same(columns, Block(OF_FORMAT_1))
