"""What results of commands, and failures of models, do to a metric's status."""

import pytest

from htmengine import htmengineerrno
from htmengine.messages import CommandResult, ModelFailure, encode_model_output
from htmengine.repository import metrics
from htmengine.repository.status import MetricStatus
from tests.unit.runtime.anomaly_service.scored import SPEC, Published, defined, scores


def test_a_defined_model_becomes_active_and_its_message_describes_it(at):
    uid = at.monitored("m", 0, status=MetricStatus.CREATE_PENDING)
    assert at.give(defined(uid)).commands == [
        {
            "method": "defineModel",
            "modelId": uid,
            "commandId": "c1",
            "status": htmengineerrno.SUCCESS,
            "errorMessage": None,
            "modelInfo": {"metricName": "m", "resource": "web", "modelSpec": SPEC},
        }
    ]
    assert at.status(uid) == (MetricStatus.ACTIVE, None)


@pytest.mark.parametrize("status", [MetricStatus.ACTIVE, MetricStatus.ERROR])
def test_a_second_definition_leaves_the_status_alone(at, status):
    uid = at.monitored("m", 0, status=status)
    assert len(at.give(defined(uid)).commands) == 1
    assert at.status(uid)[0] == status


def test_a_definition_that_failed_makes_an_error_with_its_message(at):
    uid = at.monitored("m", 0, status=MetricStatus.CREATE_PENDING)
    (command,) = at.give(defined(uid, status=htmengineerrno.ERR, error="no memory")).commands
    assert (command["status"], command["errorMessage"]) == (htmengineerrno.ERR, "no memory")
    assert "modelInfo" not in command
    assert at.status(uid) == (MetricStatus.ERROR, "no memory")
    at.give(defined(uid, status=htmengineerrno.ERR, error="another"))
    assert at.status(uid) == (MetricStatus.ERROR, "no memory")


def test_a_definition_of_a_metric_that_was_unmonitored_says_nothing_and_changes_nothing(at):
    uid = at.monitored("m", 0, status=MetricStatus.CREATE_PENDING)
    with at.database.write() as conn:
        metrics.end_model(conn, uid)
    assert at.give(defined(uid), defined("0" * 32)).commands == []
    assert at.give(defined(uid, status=htmengineerrno.ERR, error="late")).commands == []
    assert at.status(uid) == (MetricStatus.UNMONITORED, None)


def test_a_deletion_is_published_without_model_and_changes_nothing(at):
    uid = at.monitored("m", 0)
    deleted = CommandResult(command_id="c2", method="deleteModel", uid=uid, generation=0, status=0)
    assert at.give(deleted).commands == [
        {"method": "deleteModel", "modelId": uid, "commandId": "c2", "status": 0, "errorMessage": None}
    ]
    assert at.status(uid)[0] == MetricStatus.ACTIVE


def test_a_copy_is_not_published_and_its_failure_is_not_its_sources(at):
    uid = at.monitored("m", 0)
    for status in (htmengineerrno.SUCCESS, htmengineerrno.ERR_NO_SUCH_MODEL):
        copied = CommandResult(command_id="c", method="cloneModel", uid=uid, generation=0, status=status)
        assert at.give(copied) == Published()
    assert at.status(uid)[0] == MetricStatus.ACTIVE


def test_a_model_that_fails_makes_an_error_behind_the_scores_that_came_with_it(at):
    uid = at.monitored("m", 2)
    failure = ModelFailure(uid=uid, generation=0, error_message="its block is damaged")
    assert at.give(scores(uid, 1), failure).rowids() == [(uid, 1)]
    assert at.status(uid) == (MetricStatus.ERROR, "its block is damaged")
    at.give(ModelFailure(uid=uid, generation=1, error_message="of another generation"))
    assert at.status(uid) == (MetricStatus.ERROR, "its block is damaged")


def test_what_several_messages_say_of_several_metrics_is_one_change_of_each(at):
    uids = [at.monitored(name, 1, status=MetricStatus.CREATE_PENDING) for name in "abc"]
    at.give(
        *(defined(uid) for uid in uids),
        scores(uids[0], 1),
        ModelFailure(uid=uids[1], generation=0, error_message="its block is damaged"),
    )
    assert [at.status(uid) for uid in uids] == [
        (MetricStatus.ACTIVE, None),
        (MetricStatus.ERROR, "its block is damaged"),
        (MetricStatus.ACTIVE, None),
    ]


def test_one_message_may_tell_of_commands_scores_and_failures(at):
    uid = at.monitored("m", 1, status=MetricStatus.CREATE_PENDING)
    failure = ModelFailure(uid=uid, generation=0, error_message="its block is damaged")
    published = at.give_bodies(encode_model_output([defined(uid), scores(uid, 1), failure]))
    assert len(published.commands) == 1
    assert published.rowids() == [(uid, 1)]
    assert at.status(uid) == (MetricStatus.ERROR, "its block is damaged")
