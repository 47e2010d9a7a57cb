import pytest

from htmengine.admin.diagnosis import Facts, Services, diagnose, unknown
from htmengine.repository.overview import BackfillState, MetricOverview
from htmengine.repository.silences import Silence
from htmengine.repository.status import MetricStatus

NOW = 1_700_000_000.0
ALL = Services(storer=True, scheduler=True, anomaly=True)


def facts(
    *, services=ALL, backfill=None, queued=0, results=0, refused=(), left_out=None, silent=None, **metric
):
    fields = {
        "uid": "u1",
        "name": "cpu.load",
        "status": MetricStatus.ACTIVE,
        "message": None,
        "generation": 0,
        "base_rowid": 0,
        "last_rowid": 500,
        "scored_rowid": 500,
        "tail_timestamp": int(NOW) - 60,
        "model_params": "{}",
    }
    return Facts(
        metric=MetricOverview(**fields | metric),
        services=services,
        backfill=backfill,
        input_queued=queued,
        results_queued=results,
        last_checkpoint=None,
        now=NOW,
        refused=refused,
        left_out=left_out,
        silent=silent,
    )


@pytest.mark.parametrize(
    ("given", "words", "attention"),
    [
        (facts(status=MetricStatus.UNMONITORED), "not monitored. Give it a model: htmengine monitor", False),
        (facts(status=MetricStatus.ERROR, message="its block is damaged"), "its block is damaged", True),
        (facts(status=MetricStatus.PENDING_DATA, last_rowid=251), "waits for 37 more samples", False),
        (facts(last_rowid=0, scored_rowid=0), "no sample has been stored", True),
        (facts(last_rowid=510, services=ALL._replace(scheduler=False)), "10 stored samples", True),
        (facts(last_rowid=510, services=ALL._replace(scheduler=False)), "no model_scheduler runs", True),
        (facts(last_rowid=510, services=ALL._replace(anomaly=False)), "no anomaly_service runs", True),
        (facts(last_rowid=510, queued=3), "that wait for the models: 3", False),
        (facts(last_rowid=510), "will send them again", False),
        (facts(services=ALL._replace(storer=False)), "No metric_storer runs", True),
        (facts(backfill=BackfillState(int(NOW), 12)), "12 live samples will follow it.", False),
        (
            facts(status=MetricStatus.UNMONITORED, left_out="[few] allows no more than 2"),
            "not monitored: [few] allows no more than 2. Give it a model",
            False,
        ),
        (facts(last_rowid=40, scored_rowid=40), "The model has seen 40 and is young", False),
        (
            facts(last_rowid=40, scored_rowid=40, tail_timestamp=int(NOW) - 7200),
            "2 h ago: nothing newer has arrived. The model has seen 40 and is young",
            False,
        ),
        (
            facts(
                tail_timestamp=int(NOW) - 7200,
                silent=Silence(1, 1, "a", 500, int(NOW) - 7200, 1.0, 60.0, int(NOW) - 6840),
            ),
            "2 h ago, usually one comes every 1 min: it is silent",
            True,
        ),
        (facts(tail_timestamp=int(NOW) + 3000), "50 min ahead of this machine's clock", True),
        (facts(tail_timestamp=int(NOW) + 5), "All samples are scored.", False),
        (
            facts(refused=["it is bad", "it is late"]),
            "Lines of it were refused: it is bad; it is late.",
            False,
        ),
        (facts(tail_timestamp=int(NOW) - 7200), "the last one is of 2 h ago", False),
        (facts(), "All samples are scored.", False),
    ],
)
def test_the_sentence_says_where_the_samples_are(given, words, attention):
    diagnosis = diagnose(given)
    assert words in diagnosis.sentence
    assert diagnosis.needs_attention is attention


@pytest.mark.parametrize(
    ("services", "queued", "words"),
    [
        (ALL._replace(storer=False), 0, "no metric_storer runs"),
        (ALL, 4, "4 messages still to be stored"),
        (ALL, 0, "has ever arrived"),
    ],
)
def test_a_name_without_a_metric_is_explained(services, queued, words):
    assert words in unknown("cpu.load", services, queued).sentence


def test_a_name_whose_lines_are_refused_is_told_why():
    report = unknown("cpu.load", ALL, 0, ["the value is not a number"])
    assert (
        report.sentence
        == "No metric cpu.load is stored. Lines of it were refused: the value is not a number."
    )
    assert report.needs_attention


def test_rows_before_the_model_began_do_not_count_as_waiting():
    assert facts(base_rowid=500, scored_rowid=500, last_rowid=500).metric.unscored == 0
