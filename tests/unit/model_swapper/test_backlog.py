from types import SimpleNamespace

from htmengine.model_swapper.backlog import MIN_SHARE, Backlog


def model(uid, next_rowid):
    return SimpleNamespace(uid=uid, next_rowid=next_rowid)


def test_each_model_gets_a_share_of_the_rows_and_the_rest_waits_behind_the_others():
    backlog = Backlog()
    a, b = model("a", 1), model("b", 11)
    backlog.note("a", 1000)
    backlog.note("b", 30)
    backlog.note("a", 5)  # less than before: nothing changes
    assert backlog.spans([a, b], 100) == [(a, 50), (b, 30)]
    a.next_rowid, b.next_rowid = 51, 31
    backlog.advance(a)
    backlog.advance(b)
    assert list(backlog) == ["a"]
    backlog.note("c", 7)
    a.next_rowid = 101
    backlog.advance(a)
    assert backlog.first(9) == ["c", "a"]
    assert backlog.first(1) == ["c"]


def test_a_model_that_has_taken_its_rows_already_needs_none():
    backlog = Backlog()
    backlog.note("a", 10)
    assert backlog.spans([model("a", 11)], 100) == []
    assert "a" not in backlog
    assert not backlog


def test_hardly_more_rows_are_read_than_the_limit_however_many_models_wait():
    backlog = Backlog()
    models = [model(str(number), 1) for number in range(10)]
    for one in models:
        backlog.note(one.uid, 1000)
    spans = backlog.spans(models, 3 * MIN_SHARE + 1)
    # The last of them has a whole share, too: with less it might not get on.
    assert [last for _, last in spans] == [MIN_SHARE] * 4
    assert len(backlog) == 10
