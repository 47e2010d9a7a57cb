"""Commands to models: what each does, and that the second time it changes nothing."""

import pytest
from sqlalchemy import delete as delete_rows
from sqlalchemy import update

from htmengine.htm import params
from htmengine.htm.model import Model
from htmengine.htmengineerrno import ERR_INVALID_ARG, ERR_MODEL_ALREADY_EXISTS, ERR_NO_SUCH_MODEL, SUCCESS
from htmengine.messages import CloneModel, DefineModel, DeleteModel, shard_of
from htmengine.model_swapper import definition
from htmengine.repository import metrics, samples, schema
from htmengine.repository.status import MetricStatus
from tests.unit.model_swapper.world import PARAMETERS, SHARDS, START, value_of


def send(world, command):
    """Give a command, let the scheduler work until nothing is left, and return what became of it."""
    world.publish_message(shard_of(command.uid, SHARDS), command)
    world.settle_all()
    result = world.commands.pop()
    assert not world.commands
    assert (result.command_id, result.uid, result.generation) == ("c", command.uid, command.generation)
    return result


def define(world, metric, generation=0):
    return send(world, DefineModel(command_id="c", uid=world.uids[metric], generation=generation))


def delete(world, metric, generation=0):
    return send(world, DeleteModel(command_id="c", uid=world.uids[metric], generation=generation))


def checkpoints(world, metric):
    world.scheduler._writer.flush()
    return [key[1:3] for key in world.store.listing(world.uids[metric])]


def change(world, metric, **values):
    with world.database.write() as conn:
        mine = schema.metric.c.uid == world.uids[metric]
        conn.execute(update(schema.metric).where(mine).values(values))


# -- Define


def test_a_definition_lets_the_stored_rows_be_scored_and_the_second_one_changes_nothing(world):
    world.append(0, 12)
    assert define(world, 0).status == SUCCESS
    world.store_all()
    assert world.finals(0) == world.expected(0, 12)
    seen = list(world.emissions)
    assert define(world, 0).status == SUCCESS
    assert world.emissions == seen


def test_another_definition_of_a_model_that_exists_is_refused(world):
    world.append(0, 3)
    define(world, 0)
    other = params.parameter_set("default", seed=1)
    change(world, 0, model_params=definition.render(other))
    result = define(world, 0)
    assert result.status == ERR_MODEL_ALREADY_EXISTS
    assert "another definition" in result.error_message


def test_a_definition_that_makes_no_model_is_refused_with_the_reason(world):
    change(world, 0, model_params="{}")
    result = define(world, 0)
    assert result.status == ERR_INVALID_ARG
    assert "inferenceArgs" in result.error_message


def test_a_definition_for_a_metric_that_is_gone_is_refused(world):
    assert define(world, 0, generation=7).status == ERR_NO_SUCH_MODEL
    world.uids[1] = "0" * 32
    assert define(world, 1).status == ERR_NO_SUCH_MODEL


def test_a_model_that_failed_is_tried_again_when_it_is_defined_again(world):
    world.append(0, 4)
    change(world, 0, model_params="{}")
    world.publish((0, 4))
    world.settle_all()
    assert len(world.failures) == 1
    change(world, 0, model_params=definition.render(PARAMETERS))
    assert define(world, 0).status == SUCCESS
    world.store_all()
    assert world.finals(0) == world.expected(0, 4)


# -- Delete


def test_a_deleted_model_takes_its_checkpoints_along_and_deleting_it_again_is_no_error(world):
    world.publish(*[(0, rowid) for rowid in world.append(0, 12)])
    world.settle_all()
    world.store_all()
    assert checkpoints(world, 0)
    with world.database.write() as conn:
        metrics.end_model(conn, world.uids[0])
    for _ in range(2):
        assert delete(world, 0).status == SUCCESS
        assert checkpoints(world, 0) == []
    world.publish((0, 12), generation=0)
    world.settle_all()
    assert not world.results


def test_a_deletion_that_comes_late_does_not_touch_the_model_that_came_after(world):
    world.publish(*[(0, rowid) for rowid in world.append(0, 12)])
    world.settle_all()
    with world.database.write() as conn:
        metrics.end_model(conn, world.uids[0])
        world.begin_model(conn, world.uids[0])
    assert define(world, 0, generation=1).status == SUCCESS
    kept = checkpoints(world, 0)
    assert delete(world, 0, generation=0).status == SUCCESS
    assert [key for key in kept if key[0] == 1] == checkpoints(world, 0)
    world.heal()
    assert world.finals(0, generation=1) == world.expected(0, 12)


def test_deleting_a_model_that_never_was_is_no_error(world):
    world.uids[0] = "0" * 32
    assert delete(world, 0).status == SUCCESS


# -- Clone


@pytest.fixture
def cloned(world):
    return continued(world)


NEVER = 1 << 40
"""Requests for each checkpoint, so that none is due: a model's first comes earlier by a share that goes by its uid."""


def continued(world):
    """Let metric 1 have rows that go on in time behind the twenty of metric 0, and return its scores as a copy."""
    world.publish(*[(0, rowid) for rowid in world.append(0, 20)])
    world.settle_all()
    world.store_all()
    uid = world.uids[1]
    times = [START + 300 * rowid for rowid in range(21, 31)]
    values = [value_of(1, rowid) for rowid in range(1, 11)]
    with world.database.write() as conn:
        samples.append(conn, [uid] * 10, list(range(1, 11)), times, values)
        samples.advance_last(conn, [samples.Advance(uid, 0, 10, times[-1])])
    model = Model(PARAMETERS)
    model.score_series(
        [START + 300 * rowid for rowid in range(1, 21)], [value_of(0, rowid) for rowid in range(1, 21)]
    )
    columns = [column.tolist() for column in model.score_series(times, values).stored]
    return [(rowid, *scores) for rowid, *scores in zip(range(1, 11), *columns, strict=True)]


def clone(world, **changes):
    command = CloneModel(
        **{"command_id": "c", "uid": world.uids[0], "generation": 0, "new_uid": world.uids[1]}
        | {"new_generation": 0}
        | changes
    )
    return send(world, command)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_copy_goes_on_as_its_source_would_and_copying_again_changes_nothing(world, cloned, restarted):
    if restarted:  # the source comes from its checkpoint and rows
        world.kill()
        world.start()
    assert clone(world).status == SUCCESS
    world.heal()
    assert world.finals(1) == cloned
    assert clone(world).status == SUCCESS
    world.kill()
    world.start()
    world.sweep()
    world.heal()
    assert world.finals(1) == cloned
    assert world.finals(0) == world.expected(0, 20)


def test_a_copy_has_seen_all_scored_rows_though_no_checkpoint_has(make_world):
    world = make_world(requests_per_checkpoint=NEVER)
    expected = continued(world)
    world.kill()
    world.start()
    assert checkpoints(world, 0) == []
    assert clone(world).status == SUCCESS
    world.heal()
    assert world.finals(1) == expected


def test_a_model_whose_rows_are_gone_is_not_copied(make_world):
    world = make_world(requests_per_checkpoint=NEVER)
    continued(world)
    world.kill()
    world.start()
    with world.database.write() as conn:
        gone = schema.metric_data.c.uid == world.uids[0], schema.metric_data.c.rowid < 10
        conn.execute(delete_rows(schema.metric_data).where(*gone))
    result = clone(world)
    assert result.status == ERR_INVALID_ARG
    assert "row 1 is not stored" in result.error_message


def test_a_metric_with_a_past_of_its_own_stays_as_it_is(world, cloned):
    define(world, 1)
    world.heal()
    before = world.finals(1)
    assert clone(world).status == SUCCESS
    world.heal()
    assert world.finals(1) == before


@pytest.mark.parametrize(
    "changes", [{"generation": 3}, {"uid": "0" * 32}, {"new_generation": 3}, {"new_uid": "0" * 32}]
)
def test_a_copy_from_or_to_what_is_not_there_is_refused(world, cloned, changes):
    assert clone(world, **changes).status == ERR_NO_SUCH_MODEL


def test_the_copy_of_a_metric_without_a_model_is_refused(world):
    change(world, 0, status=int(MetricStatus.PENDING_DATA))
    assert clone(world).status == ERR_NO_SUCH_MODEL


def test_a_source_whose_definition_makes_no_model_cannot_be_copied(world):
    change(world, 0, model_params="{}")
    assert clone(world).status == ERR_INVALID_ARG


def test_models_of_every_set_can_be_defined(make_world):
    world = make_world(metrics_count=len(params.NAMES))
    for metric, name in enumerate(params.NAMES):
        parameters = params.parameter_set(name, minimum=-20.0, maximum=60.0)
        change(world, metric, model_params=definition.render(parameters))
        world.append(metric, 2)
        assert define(world, metric).status == SUCCESS
    assert {uid for uid, _ in world.emissions} == set(world.uids)


# -- Many


def test_commands_of_one_round_are_executed_in_their_order(world):
    first, second = world.uids[0], world.uids[1]
    for command in (
        DefineModel(command_id="1", uid=first, generation=0),
        DefineModel(command_id="2", uid=second, generation=5),
        DeleteModel(command_id="3", uid=first, generation=0),
        DefineModel(command_id="4", uid=second, generation=0),
    ):
        world.publish_message(shard_of(command.uid, SHARDS), command)
    world.settle_all()
    answers = sorted((one.command_id, one.method, one.status) for one in world.commands)
    assert answers == [
        ("1", "defineModel", SUCCESS),
        ("2", "defineModel", ERR_NO_SUCH_MODEL),
        ("3", "deleteModel", SUCCESS),
        ("4", "defineModel", SUCCESS),
    ]
