import pytest

from htmengine.repository import silences
from htmengine.repository.listing import Listed
from htmengine.web import fleet as fleet_module
from htmengine.web.fleet import STATES, Fleet
from tests.integration.web.server import NOW


def test_the_oddest_metric_comes_first_and_an_old_alarm_counts_less(server):
    server.metric("calm", [5.0] * 300)
    server.metric("old", [5.0] * 300, log_scores=[0.1] * 100 + [0.9] + [0.1] * 199)
    server.metric("new", [5.0] * 300, log_scores=[0.1] * 299 + [0.7])
    with server.client:
        assert [row["name"] for row in server.get("/metrics", w="6h")["items"]] == ["new", "old", "calm"]


def test_pages_follow_each_other_without_gap_and_without_repetition(server):
    names = {f"m.{i:03d}" for i in range(57)}
    for name in sorted(names):
        server.metric(name, [1.0])
    with server.client:
        for sort in ("oddness", "name", "last", "lag", "alarms"):
            seen, after = [], None
            while True:
                page = server.get("/metrics", sort=sort, limit=10, **({"after": after} if after else {}))
                assert page["total"] == 57
                seen += [row["name"] for row in page["items"]]
                after = page["next"]
                if after is None:
                    break
            assert len(seen) == 57
            assert set(seen) == names


def test_a_page_links_to_the_next(server):
    for name in ("a", "b"):
        server.metric(name, [1.0])
    with server.client as client:
        answer = client.get("/api/v1/metrics?limit=1&sort=name")
        assert answer.headers["link"].endswith('rel="next"')
        following = client.get("/api/v1/metrics" + answer.headers["link"].split(">")[0].strip("<"))
        assert [row["name"] for row in following.json()["items"]] == ["b"]


@pytest.fixture(scope="module")
def searched(shared_server):
    """Give a server with three metrics, of which the first has just alarmed."""
    server = shared_server
    uid = server.metric("web.cpu;dc=a", [5.0] * 300)
    server.metric("web.mem;dc=b", [5.0] * 300)
    server.metric("db.cpu", [5.0], monitored=False)
    with server.client:
        server.take(server.batch((uid, "web.cpu;dc=a", 301, NOW, 9.0, 0.8)))
        yield server


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("WEB", ["web.cpu;dc=a", "web.mem;dc=b"]),
        ("web cpu", ["web.cpu;dc=a"]),
        ("web.*", ["web.cpu;dc=a", "web.mem;dc=b"]),
        ("*cpu*", ["db.cpu", "web.cpu;dc=a"]),
        ("tag:dc=b", ["web.mem;dc=b"]),
        ("state:unmonitored", ["db.cpu"]),
        ("score:>=0.5", ["web.cpu;dc=a"]),
        ("score:<0.5 web", ["web.mem;dc=b"]),
        ("cause:error", ["web.cpu;dc=a"]),
        ("cause:jump", []),
        ("-web", ["db.cpu"]),
        ("cpu -tag:dc=a", ["db.cpu"]),
        ("-state:unmonitored -score:>0.5", ["web.mem;dc=b"]),
        ("-*.cpu* -nothing", ["web.mem;dc=b"]),
        ("-", []),
        ("[", []),
        ("<img/src=x>", []),
    ],
)
def test_the_search_finds(searched, q, names):
    found = searched.get("/metrics", q=q, sort="name")
    assert [row["name"] for row in found["items"]] == names
    assert found["total"] == len(names)


@pytest.mark.parametrize("q", ["score:>x", "tag:dc", "state:odd", "-state:odd", "cause:odd"])
def test_a_search_that_means_nothing_is_explained(searched, q):
    problem = searched.get("/metrics", status=400, q=q)
    assert problem["errors"][0]["pointer"] == "?q"
    assert q.removeprefix("-") in problem["detail"]


def test_a_row_says_what_is_known_of_the_metric(server):
    uid = server.metric("web;dc=a", [5.0] * 299 + [9.0], log_scores=[0.1] * 299 + [0.8])
    with server.client:
        (row,) = server.get("/metrics")["items"]
    assert row["uid"] == uid
    assert row["tags"] == {"dc": "a"}
    assert row["state"] == "active"
    assert row["last"] == {"rowid": 300, "time": NOW - 30, "value": 9.0}
    assert row["log_score"] == pytest.approx(0.8)
    assert row["alarms_24h"] == 1
    assert row["usual"] == [4.0, 6.0]
    assert row["forecast"] == 5.0
    assert row["why_no_score"] is None
    assert row["stored"] == 300


def test_a_metric_without_scores_says_why(server):
    server.metric("young", [5.0] * 20)
    server.silence(server.metric("silent", [5.0] * 300, last=NOW - 7200), NOW - 7200)
    server.metric("bare", [5.0], monitored=False)
    with server.client:
        why = {row["name"]: row["why_no_score"] for row in server.get("/metrics")["items"]}
        states = {row["name"]: row["state"] for row in server.get("/metrics")["items"]}
        (silent,) = server.get("/metrics", q="state:silent")["items"]
    assert (silent["name"], silent["since"]) == ("silent", NOW - 7200)
    assert states == {"young": "learning", "silent": "silent", "bare": "unmonitored"}
    assert why["young"]["code"] == "too_few_samples"
    assert (why["young"]["have"], why["young"]["need"]) == (20, 288)
    assert why["silent"]["code"] == "silent"
    assert why["bare"]["code"] == "no_model"


def test_an_unchanged_list_is_not_sent_again(server):
    server.metric("a", [1.0])
    with server.client as client:
        first = client.get("/api/v1/metrics")
        again = client.get("/api/v1/metrics", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
        assert not again.content
        server.metric("b", [1.0])
        server.now += 2
        changed = client.get("/api/v1/metrics", headers={"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200


def test_a_metric_that_was_deleted_leaves_the_list(server):
    from htmengine.repository import metrics

    uid = server.metric("gone", [1.0])
    server.metric("stays", [1.0])
    with server.client:
        assert server.get("/metrics")["total"] == 2
        with server.context.database.write() as conn:
            metrics.delete_metric(conn, uid)
        server.site.feed.list_metrics()
        assert [row["name"] for row in server.get("/metrics")["items"]] == ["stays"]


def test_the_tree_groups_by_the_next_segment_of_the_name(server):
    for name in ("web.a.cpu", "web.a.mem", "web.b", "load"):
        server.metric(name, [1.0])
    with server.client:
        roots = server.get("/metrics/tree")["items"]
        assert [(node["label"], node["count"], node["prefix"]) for node in roots] == [
            ("load", 1, "load"),
            ("web", 3, "web."),
        ]
        assert roots[0]["uid"]
        for prefix in ("web.", "web"):
            below = server.get("/metrics/tree", prefix=prefix)
            assert below["prefix"] == "web."
            assert [(node["label"], node["count"]) for node in below["items"]] == [("a", 2), ("b", 1)]


def test_the_tree_groups_by_a_tag(server):
    for name in ("x;dc=a", "y;dc=a", "z;dc=b", "plain"):
        server.metric(name, [1.0])
    with server.client:
        groups = server.get("/metrics/tree", tag="dc")["items"]
    assert [(group["label"], group["count"]) for group in groups] == [("a", 2), ("b", 1)]


def test_sparks_have_sixty_cells_whose_last_ends_now(server):
    uid = server.metric("a", [float(i) for i in range(30)], log_scores=[0.1] * 29 + [0.6], last=NOW)
    with server.client:
        answer = server.get("/metrics/sparks", uid=[uid], **{"from": NOW - 3600})
        spark = answer["items"][uid]
        assert answer["step"] == 60
        assert len(spark["spark"]) == len(spark["bars"]) == 60
        assert spark["spark"][:30] == [None] * 30
        assert (spark["low"], spark["high"]) == (0.0, 29.0)
        assert spark["spark"][-1] == 255
        assert spark["bars"][-1] == 153
        for span in (10800, 86400, 604800):
            spark = server.get("/metrics/sparks", uid=[uid], **{"from": NOW - span})["items"][uid]
            assert any(cell is not None for cell in spark["spark"])
            assert max(spark["bars"]) == 153


def test_few_rows_of_fast_metrics_are_drawn_where_they_lie(server):
    names = [f"fast.{i}" for i in range(20)]
    uids = [server.metric(name, [1.0, 2.0] * 30, last=NOW, interval=1) for name in names]
    with server.client:
        answer = server.get("/metrics/sparks", uid=uids, **{"from": NOW - 10800})
    for spark in answer["items"].values():
        assert [cell is not None for cell in spark["spark"]] == [False] * 59 + [True]


def test_cells_shorter_than_the_interval_are_bridged(server):
    uid = server.metric("a", [float(i) for i in range(30)], last=NOW, interval=300)
    with server.client:
        assert server.get("/metrics/sparks", uid=[uid], **{"from": NOW - 3600})["items"][uid]["bridge"] == 17
        assert server.get("/metrics/sparks", uid=[uid], **{"from": NOW - 86400})["items"][uid]["bridge"] == 0
        assert server.get("/metrics/sparks", uid=[uid], **{"from": NOW - 6000})["items"][uid]["bridge"] == 10


def test_a_metric_that_has_just_come_is_new_and_not_without_a_model(server):
    server.metric("old", [1.0], monitored=False)
    with server.client:
        server.metric("fresh", [1.0], monitored=False)
        rows = {row["name"]: row for row in server.get("/metrics")["items"]}
        assert rows["old"]["state"] == "unmonitored"
        assert (rows["fresh"]["state"], rows["fresh"]["why_no_score"]["code"]) == ("learning", "new")
        assert [one["name"] for one in server.get("/health")["new_names"]] == ["fresh"]
        server.now += 11
        assert {row["state"] for row in server.get("/metrics")["items"]} == {"unmonitored"}


def test_scores_prove_a_model_before_the_next_listing_does(server):
    fleet = Fleet()
    listed = [Listed(uid, uid, 0, 0, 0, 2, 0, int(NOW) - 60) for uid in ("a", "b")]
    fleet.list_all([listed])
    fleet.apply(server.batch(("a", "a", 3, NOW, 5.0, 0.1), ("unheard", "c", 1, NOW, 5.0, 0.1)))
    assert [STATES[state] for state in fleet.states(NOW)] == ["learning", "unmonitored", "learning"]
    fleet.list_all([listed])
    assert [STATES[state] for state in fleet.states(NOW)] == ["unmonitored", "unmonitored"]


def test_metrics_are_listed_in_parts_and_those_that_are_gone_leave(server):
    fleet = Fleet()
    fleet.advance(NOW)
    listed = [Listed(f"u{i:04d}", f"m{i:04d}", 0, 0, 0, 2, 0, int(NOW) - i) for i in range(3000)]
    assert len(fleet.list_all([listed[:1000], listed[1000:]])) == 3000
    fleet.apply(server.batch(("u2999", "m2999", 3, NOW, 5.0, 0.7)))
    kept = listed[::3] + listed[2999:]
    assert fleet.list_all([kept[:500], kept[500:], [Listed("new", "n", 0, 0, 0, 1, 0, None)]]) == ["n"]
    assert fleet.uids == [*(metric.uid for metric in kept), "new"]
    assert fleet.column("time")[[1, 999, 1000]].tolist() == [NOW - 3, NOW - 2997, NOW]
    assert fleet.alarm_counts()[[999, 1000]].tolist() == [0, 1]
    assert fleet.worst(3600.0).nonzero()[0].tolist() == [1000]


def test_values_are_kept_of_the_metrics_that_were_looked_at_last(server, monkeypatch):
    monkeypatch.setattr(fleet_module, "MAX_SHOWN", 2)
    uids = [server.metric(name, [1.0, 2.0, 3.0 + number]) for number, name in enumerate("abc")]

    def last_values():
        found = server.get("/metrics/sparks", uid=uids[:2], **{"from": NOW - 3600})["items"]
        return [found[uid]["high"] for uid in uids[:2]]

    with server.client:
        assert last_values() == [3.0, 4.0]
        server.take(server.batch((uids[0], "a", 4, NOW, 9.0, 0.1)))
        assert last_values() == [9.0, 4.0]
        server.get("/metrics/sparks", uid=uids[2:], **{"from": NOW - 3600})
        shown = server.site.fleet.column("shown")
        assert [shown[server.site.fleet.index[uid]] for uid in uids] == [-1, -1, 0]


def test_a_metric_is_silent_from_the_moment_it_is_found_until_it_sends_again(server):
    uid = server.metric("a", [5.0] * 300, last=NOW - 7200)

    def state():
        (row,) = server.get("/metrics")["items"]
        return row["state"], row["since"]

    with server.client:
        assert state() == ("active", None)
        server.silence(uid, NOW - 7200)
        server.site.feed.take_silences()
        assert state() == ("silent", NOW - 7200)
        with server.context.database.write() as conn:
            before = silences.lock_position(conn)
            silences.end(conn, {before.silence_id: NOW - 60}, before.seq + 1)
            silences.move_position(conn, before._replace(seq=before.seq + 1))
        server.site.feed.take_silences()
        assert state() == ("active", None)


def test_the_interval_is_known_of_rows_from_before_the_start(server):
    uid = server.metric("hourly", [1.0, 2.0, 3.0], last=NOW - 4000, interval=3600)
    with server.client:
        assert server.get(f"/metrics/{uid}")["interval"] == 3600
