"""Model input gathered by shard."""

from htmengine.messages import DefineModel, DeleteModel, Samples, decode_model_input, shard_of
from htmengine.model_swapper import model_input
from htmengine.model_swapper.model_input import ModelInputBuilder

SHARDS = 4


def inputs(feed):
    """Return what each message carries, by queue."""
    found = {}
    for queue, body, *_ in feed.messages():
        found.setdefault(queue, []).append(decode_model_input(body))
    return found


def define(uid):
    return DefineModel(command_id="c", uid=uid, generation=0)


def test_commands_come_before_the_rows_of_their_shard_in_one_message():
    feed = ModelInputBuilder(SHARDS, "input.{}".format)
    uids = [f"metric{i}" for i in range(20)]
    for uid in uids:
        feed.add(uid, 0, 1, 60, 0.5, 7)
        feed.command(define(uid))
    feed.command(DeleteModel(command_id="d", uid=uids[0], generation=0))
    found = inputs(feed)
    assert set(found) == {f"input.{shard_of(uid, SHARDS)}" for uid in uids}
    for queue, (message,) in found.items():
        *commands, rows = message
        mine = [uid for uid in uids if queue == f"input.{shard_of(uid, SHARDS)}"]
        assert commands[: len(mine)] == [define(uid) for uid in mine]
        assert isinstance(rows, Samples)
        assert rows.uids == mine
        assert [type(one) for one in commands[len(mine) :]] == ([DeleteModel] if uids[0] in mine else [])


def test_messages_are_of_a_bounded_size_and_lose_nothing(monkeypatch):
    monkeypatch.setattr(model_input, "COMMANDS_PER_MESSAGE", 3)
    monkeypatch.setattr(model_input, "SAMPLES_PER_MESSAGE", 5)
    feed = ModelInputBuilder(1, "input.{}".format)
    for number in range(7):
        feed.command(define(f"m{number}"))
    for rowid in range(12):
        feed.add("m0", 0, rowid, rowid, 0.5, rowid + 1)
    sent = inputs(feed)["input.0"]
    kinds = [
        ["define" if isinstance(one, DefineModel) else one.rowids for one in message] for message in sent
    ]
    assert kinds == [
        ["define"] * 3,
        ["define"] * 3,
        ["define", [0, 1, 2, 3, 4]],
        [[5, 6, 7, 8, 9]],
        [[10, 11]],
    ]


def test_nothing_makes_no_message():
    assert ModelInputBuilder(1, "input.{}".format).messages() == []
