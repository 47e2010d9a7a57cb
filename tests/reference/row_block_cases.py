"""Rows that are put into blocks: of any kind, and as a model has scored them. Columns by their names."""

import numpy as np
from hypothesis import strategies as st

from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.repository import display, identity
from htmengine.repository.embedded.blocks import COLUMNS, INTEGERS, NULL, REALS, TEXTS, Rows

numbers = st.one_of(
    st.floats(width=64),
    st.floats(width=32),
    st.integers(-(10**6), 10**6).map(lambda whole: whole / 1000),
    st.sampled_from([0.0, -0.0, 0.05, np.inf, -np.inf, np.nan, 5e-324, 1e300]),
)
whole = st.integers(-(2**63), 2**63 - 1)


@st.composite
def rows_of_any_kind(draw):
    rows = draw(st.one_of(st.integers(1, 40), st.sampled_from([257, 512])))

    def column(kind):
        some = draw(st.lists(kind, min_size=1, max_size=draw(st.sampled_from([1, 3, min(rows, 60)]))))
        return [some[place % len(some)] for place in range(rows)]

    columns = {name: np.array(column(numbers), np.float64) for name in COLUMNS}
    columns["time"] = np.array(column(whole), np.int64)
    columns["digest"] = np.array(column(st.one_of(st.just(NULL), st.integers(0, 2**63 - 1))), np.int64)
    columns["multi_step_best_predictions"] = column(st.one_of(st.none(), st.text(max_size=5)))
    return columns


def same(columns, block):
    for name in COLUMNS:
        found = block.column(name)
        if name == "multi_step_best_predictions":
            assert found == columns[name]
        else:
            assert found.dtype == columns[name].dtype
            assert np.array_equal(np.isnan(found), np.isnan(columns[name]))
            known = ~np.isnan(found)
            assert found[known].tobytes() == columns[name][known].tobytes(), name


def tables(columns):
    """Return columns as `blocks.encode` takes them."""
    return Rows(
        np.array([columns[name] for name in INTEGERS]),
        np.array([columns[name] for name in REALS]),
        columns[TEXTS[0]],
    )


def scored(rows, seed=1):
    """Return rows of a metric with values of three decimals and what a model says of them."""
    draw = np.random.default_rng(seed)
    place = np.arange(400 + rows)
    times = 1_700_000_100 + 300 * place
    values = np.round(50 + 20 * np.sin(place / 46) + draw.normal(0, 2, len(place)), 3)
    series = Model(params.parameter_set("default")).score_series(times, values)
    names = ["raw_anomaly_score", "anomaly_score", "log_score", "sequence_score", "novelty_score"]
    names += ["forecast", "usual_low", "usual_high"]
    columns = dict(zip(names, (*series.stored, *series.expected), strict=True))
    columns |= {"time": times, "value": values, "display_value": display.bars(columns["anomaly_score"])}
    columns["digest"] = np.array(list(identity.extended(7, times, values)), np.int64)
    columns = {name: column[400:] for name, column in columns.items()}
    return columns | {"multi_step_best_predictions": ["null"] * rows}
