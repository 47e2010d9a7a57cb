"""A data folder that a version of version 1 of the default model left: its metrics go on with that version, new ones get
the present one.
"""

import json

import pytest
from sqlalchemy import delete, select

from htmengine.htm import params
from htmengine.model_swapper import definition
from htmengine.repository import metrics, schema
from tests.unit.model_swapper.world import PARAMETERS

VERSION_1 = params.DefaultParametersV1(name="default")
WRITTEN = '{"parameters": {"edition": 1, "kind": "default"}}'
"""What the rows of such metrics hold."""
WRITTEN_WITH_RANGE = (
    '{"parameters": {"edition": 1, "kind": "default", "scale": {"maximum": 9.0, "minimum": 1.0}}}'
)


@pytest.fixture
def left(make_world):
    """Of both metrics 40 rows are scored, and their models saved; of the next ten, some scores are on their way, and so are
    samples. The process died.
    """
    world = make_world(metrics_count=2, parameters=VERSION_1)
    for metric in (0, 1):
        world.publish(*[(metric, rowid) for rowid in world.append(metric, 40)])
    world.settle_all()
    world.store_all()
    world.close()
    assert [key.last_rowid for key in world.store.listing()] == [40, 40]
    world.start()
    for metric in (0, 1):
        for rowid in world.append(metric, 10):
            world.publish((metric, rowid))
    world.round(most=6)
    assert world.queue
    assert world.results
    world.round(most=3, published=False)
    world.kill()
    return world


def written(world, metric):
    with world.database.read() as conn:
        query = select(schema.metric.c.model_params).where(schema.metric.c.uid == world.uids[metric])
        return conn.execute(query).scalar_one()


def test_metrics_of_version_1_go_on_with_it(left):
    assert [written(left, metric) for metric in (0, 1)] == [WRITTEN, WRITTEN]
    left.start()
    left.heal()
    for metric in (0, 1):
        left.publish(*[(metric, rowid) for rowid in left.append(metric, 30)])
    left.heal()
    for metric in (0, 1):
        assert left.finals(metric) == left.expected(metric, 80)
        assert written(left, metric) == WRITTEN
    assert not left.failures
    assert "models_set_back" not in left.scheduler.counters.snapshot()


def test_their_checkpoints_are_taken(left):
    row = schema.metric_data.c
    with left.database.write() as conn:  # so that nothing but the checkpoints knows of them
        conn.execute(delete(schema.metric_data).where(row.rowid <= 40))
    left.start()
    left.heal()
    for metric in (0, 1):
        assert left.finals(metric) == left.expected(metric, 50)
    assert not left.failures


def test_a_metric_that_is_monitored_again_gets_the_latest_version_and_its_neighbour_keeps_its_own(left):
    left.start()
    left.heal()
    of_before = left.expected(0, 50)
    with left.database.write() as conn:
        metrics.end_model(conn, left.uids[0])
        left.begin_model(conn, left.uids[0])
    for metric in (0, 1):
        left.publish(*[(metric, rowid) for rowid in left.append(metric, 10)])
    left.heal()
    assert left.finals(0) == of_before
    assert left.finals(0, generation=1) == left.expected(0, 60)
    assert left.expected(0, 50) != of_before
    assert left.finals(1) == left.expected(1, 60)
    assert json.loads(written(left, 0)) == {"parameters": {"edition": 2, "kind": "default-2"}}
    assert written(left, 1) == WRITTEN


def test_what_version_1_wrote_is_read_as_it_was_meant():
    assert definition.parse(WRITTEN) == VERSION_1
    found = definition.parse(WRITTEN_WITH_RANGE)
    assert isinstance(found, params.DefaultParametersV1)
    assert (found.scale.minimum, found.scale.maximum) == (1.0, 9.0)
    assert definition.render(found) == WRITTEN_WITH_RANGE
    assert definition.parse(definition.render(PARAMETERS)) == PARAMETERS
