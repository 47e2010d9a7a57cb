import numpy as np

from htmengine.repository import schema, teachings
from htmengine.repository.teachings import Silenced
from tests.unit.web.house import NOW

ROWS = 400


def metric(house):
    values = 10 + np.random.default_rng(3).normal(size=ROWS)
    values[300:303] += 40
    values[380:383] += 40
    return house.metric("web.a", np.round(values, 2).tolist(), last=NOW - 60)


def at(row):
    """Return the time of a row, counted from 0; one comes each minute."""
    return NOW - 60 - 60 * (ROWS - 1 - row)


def body(uid, **values):
    return {"uid": uid, "from": at(300), "to": at(302), "kind": "normal", "how": "values"} | values


def test_a_teaching_is_previewed_made_listed_and_undone(house):
    uid = metric(house)
    with house.client as client:
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
        with house.context.database.write() as conn:
            number = int(label["id"][1:])
            teachings.store_silenced(conn, [Silenced(uid, row, number, int(NOW) + row) for row in (401, 402)])
        (listed,) = [one for one in house.get("/labels", uid=uid)["items"] if one["how"]]
        assert (listed["silenced"], listed["last_silenced"], listed["undone"]) == (2, NOW + 402, None)

        assert client.post("/api/v1/labels", json=body(uid, how="forget")).status_code == 409
        assert client.delete(f"/api/v1/labels/{label['id']}").status_code == 204
        assert client.delete(f"/api/v1/labels/{label['id']}").status_code == 404
        assert [one["kind"] for one in house.get("/labels", uid=uid)["items"]] == ["anomaly"]
        undone = [one for one in house.get("/labels", uid=uid, undone=True)["items"] if one["how"]]
        assert [one["undone"] for one in undone] == [NOW]


def test_what_cannot_be_taught_is_told(house):
    uid = metric(house)
    house.metric("bare", [1.0], last=NOW)
    with house.client as client:
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
        with house.context.database.write() as conn:
            conn.execute(schema.metric_data.delete().where(schema.metric_data.c.rowid < 3))
        refused = client.post("/api/v1/labels", json=body(uid, how="forget"))
        assert "Teach values or times" in refused.json()["detail"]
