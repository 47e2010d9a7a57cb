from htmengine.incidents import actions, ids, store
from htmengine.incidents.actions import Action
from htmengine.incidents.writer import Writer
from tests.integration.web.server import NOW


def body(**values):
    return {"from": NOW - 600, "to": NOW, "kind": "anomaly"} | values


def test_a_label_is_made_listed_and_removed(server):
    uid = server.metric("web.a", [5.0] * 10)
    server.metric("db", [5.0] * 10)
    with server.client as client:
        made = client.post("/api/v1/labels", json=body(uid=uid, note="disk full"))
        assert made.status_code == 201, made.text
        label = made.json()
        assert (label["uid"], label["from"], label["to"], label["kind"]) == (uid, NOW - 600, NOW, "anomaly")
        assert label["incident"] is None
        client.post("/api/v1/labels", json=body(match="web.*", kind="ignore"))
        assert len(server.get("/labels")["items"]) == 2
        assert [one["kind"] for one in server.get("/labels", uid=uid)["items"]] == ["anomaly", "ignore"]
        first = server.get("/labels", limit=1)
        second = server.get("/labels", limit=1, after=first["next"])
        assert [first["items"][0]["kind"], second["items"][0]["kind"], second["next"]] == [
            "anomaly",
            "ignore",
            None,
        ]
        assert client.delete(f"/api/v1/labels/{label['id']}").status_code in (200, 204)
        assert client.delete(f"/api/v1/labels/{label['id']}").status_code == 404
        assert client.delete("/api/v1/labels/i1").status_code == 404


def test_a_label_that_cannot_be_is_refused_with_the_place(server):
    uid = server.metric("a", [5.0] * 10)
    with server.client as client:
        wrong = client.post("/api/v1/labels", json=body(uid=uid, to=NOW - 601))
        assert wrong.status_code == 400
        assert wrong.json()["errors"][0]["pointer"] == "/to"
        assert client.post("/api/v1/labels", json=body()).status_code == 400
        assert client.post("/api/v1/labels", json=body(uid=uid, kind="odd")).status_code == 400
        assert client.post("/api/v1/labels", json=body(uid="nobody")).status_code == 404


def test_alarms_say_what_labels_say_of_their_times(server):
    scores = [0.1] * 9 + [0.9]
    uid = server.metric("web.a", [5.0] * 10, log_scores=scores, last=NOW - 60)
    server.metric("db", [5.0] * 10, log_scores=scores, last=NOW - 60)
    with server.client as client:
        assert [one["label"] for one in server.get("/anomalies")["items"]] == [None, None]
        client.post("/api/v1/labels", json=body(match="web.*", kind="normal"))
        found = {one["name"]: one["label"] for one in server.get("/anomalies")["items"]}
        assert found == {"web.a": "normal", "db": None}
        assert [one["label"] for one in server.get(f"/metrics/{uid}/alarms")["items"]] == ["normal"]


def test_a_verdict_of_an_incident_is_a_label(server):
    server.metric("web.a", [5.0] * 10, log_scores=[0.1] * 9 + [0.9], last=NOW - 60)
    writer = Writer(server.context.database, clock=lambda: NOW)
    while writer.work():
        pass
    with server.context.database.write() as conn:
        (one,) = store.list_incidents(conn)
        actions.act(conn, ids.number_of(one["id"]), Action("verdict", int(NOW), "me", "", verdict="false"))
    with server.client:
        (label,) = server.get("/labels")["items"]
        assert (label["id"], label["incident"], label["kind"]) == (one["id"], one["id"], "normal")
        assert [alarm["label"] for alarm in server.get("/anomalies")["items"]] == ["normal"]
