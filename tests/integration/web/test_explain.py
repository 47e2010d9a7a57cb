import threading
from pathlib import Path

import numpy as np
import pytest

from htmengine.admin import explaining
from htmengine.htm.model import Model
from htmengine.model_swapper import definition
from tests.integration.web.server import MODEL_PARAMS, NOW


def a_series():
    values = [5.0 + float(np.sin(i / 5)) for i in range(700)]
    values[650] = 40.0
    return values


def expected(values, rowid):
    """Return what a model says that takes all rows up to one of them."""
    model = Model(definition.parse(MODEL_PARAMS))
    times = [NOW - 30 - 60 * (len(values) - 1 - i) for i in range(rowid)]
    model.score_series(times, np.array(values[:rowid]))
    return model.explain()


def test_any_row_is_explained_as_its_model_saw_it(server):
    values = a_series()
    uid = server.metric("a", values)
    with server.client:
        for rowid in (300, 651):
            explained = server.get(f"/metrics/{uid}/explain/{rowid}")
            own = expected(values, rowid)
            assert explained["log_score"] == own.scores.log_score
            assert explained["cause"] == own.cause
            assert explained["strengths"] == own.strengths
            assert explained["value"] == values[rowid - 1]
            calm = explained["log_score"] < 0.5
            assert ("is not unusual" in explained["sentence"]) == calm, explained["sentence"]
    assert explained["channels"]["deviation"] == max(
        own.strengths[cause] for cause in ("distance", "error", "offset", "unrest")
    )
    assert "40" in explained["sentence"]


def test_a_row_that_the_model_has_not_seen_is_explained_as_such(server):
    uid = server.metric("a", [5.0] * 300)
    with server.client:
        assert "1 to 300" in server.get(f"/metrics/{uid}/explain/301", status=409)["detail"]
        server.get(f"/metrics/{uid}/explain/0", status=409)
        server.get("/metrics/nobody/explain/1", status=404)


def test_a_row_behind_too_many_others_is_not_explained(server, monkeypatch):
    monkeypatch.setattr(explaining, "MAX_ROWS", 100)
    uid = server.metric("a", [5.0] * 300)
    with pytest.raises(explaining.CannotExplain, match="between"):
        explaining.explain(server.context, uid, 250)


def test_what_is_asked_again_and_again_opens_no_more_files_and_threads(server):
    uid = server.metric("a", a_series())
    with server.client:

        def ask(rowid):
            server.get(f"/metrics/{uid}")
            server.get(f"/metrics/{uid}/explain/{rowid}")
            return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

        ask(300)
        threads, files = ask(301)
        for rowid in range(302, 322):
            now = ask(rowid)
        assert now[0] <= threads
        assert now[1] < files + 20  # pools may hold a few connections more than before
