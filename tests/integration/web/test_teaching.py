import numpy as np

from htmengine.repository import schema, teachings
from htmengine.repository.teachings import Silenced
from tests.integration.web.server import NOW

ROWS = 400


def metric(server):
    values = 10 + np.random.default_rng(3).normal(size=ROWS)
    values[300:303] += 40
    values[380:383] += 40
    return server.metric("web.a", np.round(values, 2).tolist(), last=NOW - 60)


def at(row):
    """Return the time of a row, counted from 0; one comes each minute."""
    return NOW - 60 - 60 * (ROWS - 1 - row)


def body(uid, **values):
    return {"uid": uid, "from": at(300), "to": at(302), "kind": "normal", "how": "values"} | values


def test_a_teaching_is_previewed_made_listed_and_undone(server):
    uid = metric(server)
    with server.client as client:
        found = client.post("/api/v1/labels/preview", json=body(uid))
        assert found.status_code == 200, found.text
        preview = found.json()
        assert preview["reaches_span"]
        assert preview["rows_replayed"] == ROWS
        assert {301, 381} <= {alarm["rowid"] for alarm in preview["would_silence"]}
        assert (preview["of_these_called_real"], preview["would_add"]) == (0, [])
        assert preview["effective_rowid"] == ROWS + 1
        client.post("/api/v1/labels", json={"uid": uid, "from": at(380), "to": at(382), "kind": "anomaly"})
        real = client.post("/api/v1/labels/preview", json=body(uid)).json()
        assert real["of_these_called_real"] >= 1

        made = client.post("/api/v1/labels", json=body(uid, note="nightly copy"))
        assert made.status_code == 201, made.text
        label = made.json()
        assert (label["how"], label["effective_rowid"], label["silenced"]) == ("values", ROWS + 1, 0)
        with server.context.database.write() as conn:
            number = int(label["id"][1:])
            teachings.store_silenced(conn, [Silenced(uid, row, number, int(NOW) + row) for row in (401, 402)])
        (listed,) = [one for one in server.get("/labels", uid=uid)["items"] if one["how"]]
        assert (listed["silenced"], listed["last_silenced"], listed["undone"]) == (2, NOW + 402, None)

        assert client.post("/api/v1/labels", json=body(uid, how="forget")).status_code == 409
        assert client.delete(f"/api/v1/labels/{label['id']}").status_code == 204
        assert client.delete(f"/api/v1/labels/{label['id']}").status_code == 404
        assert [one["kind"] for one in server.get("/labels", uid=uid)["items"]] == ["anomaly"]
        undone = [one for one in server.get("/labels", uid=uid, undone=True)["items"] if one["how"]]
        assert [one["undone"] for one in undone] == [NOW]


def test_what_was_taught_is_shown_in_the_past_and_not_stored_there(server):
    uid = metric(server)
    times, values = [at(row) for row in range(ROWS)], [0.0] * ROWS
    scores = [0.1] * ROWS
    scores[380] = scores[381] = 0.8  # what is stored of them; the model itself finds others
    server.score(uid, times, values, scores)
    window = {"from": at(0), "to": at(ROWS - 1) + 1, "series": "log_score,low,high,sequence"}
    refused = server.get(f"/metrics/{uid}/taught-past", status=409)
    assert "was taught nothing" in refused["detail"]
    with server.client as client:
        label = client.post("/api/v1/labels", json=body(uid)).json()["id"]
        past = server.get(f"/metrics/{uid}/taught-past")
        assert (past["rows"], past["first_rowid"], past["from"]) == (ROWS, 1, at(0))
        assert {alarm["rowid"] for alarm in past["gone"]} == {381, 382}
        for points in (2000, 50):
            plain = server.get(f"/metrics/{uid}/data", **window, points=points)
            again = server.get(f"/metrics/{uid}/data", **window, points=points, rescored=True)
            assert len(plain["rows"]) == len(again["rows"])
            place = again["columns"].index("log_score")
            assert max(row[place] for row in plain["rows"]) == 0.8
            assert max(row[place] for row in again["rows"][-20 * len(again["rows"]) // ROWS :]) < 0.5
            assert [row[0] for row in plain["rows"]] == [row[0] for row in again["rows"]]
        wrong = client.get(f"/api/v1/metrics/{uid}/data?since_rowid=1&rescored=true")
        assert wrong.status_code == 400
        client.delete(f"/api/v1/labels/{label}")
        assert server.get(f"/metrics/{uid}/taught-past")["gone"] != past["gone"]


def test_silenced_rows_are_listed_the_newest_first(server):
    uid = metric(server)
    with server.context.database.write() as conn:
        rows = [Silenced(uid, row, 7, at(row - 1)) for row in (300, 301, 302, 900)]
        teachings.store_silenced(conn, rows)
    found = server.get(f"/metrics/{uid}/silenced")["items"]
    assert [(one["rowid"], one["label"]) for one in found] == [(row, "l7") for row in (900, 302, 301, 300)]
    assert found[0]["value"] is None
    assert (found[1]["time"], found[1]["log_score"]) == (at(301), 0.1)
    first = server.get(f"/metrics/{uid}/silenced", **{"from": at(299), "to": at(301), "limit": 1})
    assert [one["rowid"] for one in first["items"]] == [301]
    rest = server.get(f"/metrics/{uid}/silenced", **{"from": at(299), "to": at(301), "after": first["next"]})
    assert ([one["rowid"] for one in rest["items"]], rest["next"]) == ([300], None)
    server.get("/metrics/nobody/silenced", status=404)


def test_only_what_models_were_taught_is_listed_with_whether_it_counts(server):
    uid = metric(server)
    with server.client as client:
        client.post("/api/v1/labels", json={"uid": uid, "from": at(1), "to": at(2), "kind": "ignore"})
        label = client.post("/api/v1/labels", json=body(uid, expires=NOW + 600)).json()
        (one,) = server.get("/labels", taught=True)["items"]
        assert (one["id"], one["name"], one["counts"]) == (label["id"], "web.a", True)
        client.delete(f"/api/v1/labels/{label['id']}")
        assert server.get("/labels", taught=True)["items"] == []
        (one,) = server.get("/labels", taught=True, undone=True)["items"]
        assert one["counts"] is False
        server.now += 7200
        client.post("/api/v1/labels", json=body(uid, expires=NOW + 600))
        server.take(server.batch((uid, "web.a", ROWS + 1, NOW + 700, 1.0, 0.1)))
        (one,) = server.get("/labels", taught=True)["items"]
        assert (one["counts"], one["undone"]) == (False, None)


def test_what_cannot_be_taught_is_told(server):
    uid = metric(server)
    server.metric("bare", [1.0], last=NOW)
    with server.client as client:
        for wrong, status in (
            (body(None, match="web.*"), 400),
            (body("nobody"), 404),
            (body(uid, how="wrong"), 400),
            (body(uid, kind="anomaly"), 409),
            (body(uid, to=at(299)), 409),
        ):
            for path in ("/labels", "/labels/preview"):
                answer = client.post(f"/api/v1{path}", json=wrong)
                assert answer.status_code == status, answer.text
        with server.context.database.write() as conn:
            conn.execute(schema.metric_data.delete().where(schema.metric_data.c.rowid < 3))
        refused = client.post("/api/v1/labels", json=body(uid, how="forget"))
        assert "Teach values or times" in refused.json()["detail"]
