"""A whole file: what is stored is the file, what is published is what is stored, and twice gives the same."""

import csv
from pathlib import Path

import pytest

from htmengine import config
from htmengine.bus.opening import open_bus
from htmengine.runtime.anomaly_service import AnomalyService
from tests.acceptance.engine import wait_until
from tests.integration.documented.specs import monitor, spec

pytestmark = [pytest.mark.integration, pytest.mark.acceptance]

SAMPLE = Path(__file__).parents[3] / "examples" / "sample" / "requests.csv"
ROWS = 1200


def test_a_file_gives_the_same_scores_in_the_table_on_the_exchange_and_the_second_time(application, name):
    with SAMPLE.open() as file:
        samples = [tuple(row) for row in csv.reader(file)][1 : ROWS + 1]
    times = range(1_500_000_000, 1_500_000_000 + 300 * ROWS, 300)
    settings = config.load(application.directory)
    bus = open_bus(settings)
    bus.declare_queue(name)
    bus.bind(name, settings.results_exchange)
    metrics = [f"{name}.{run}" for run in range(2)]
    published = {metric: {} for metric in metrics}
    try:
        for metric in metrics:
            application.send(
                *(f"{metric} {value} {at}" for (_, value), at in zip(samples, times, strict=True))
            )
            application.stored(metric, ROWS)
            monitor(spec(metric))
        with bus.consume([name]) as consumer:

            def all_published():
                for delivery in consumer.receive(max_messages=50, timeout_s=0.5):
                    message = AnomalyService.deserializeModelResult(delivery.body)
                    if "metric" in message and message["metric"]["name"] in published:
                        rows = published[message["metric"]["name"]]
                        rows |= {row["rowid"]: row for row in message["results"]}
                    consumer.ack([delivery])
                return all(len(rows) == ROWS for rows in published.values())

            wait_until(all_published, "all results on the exchange", patience_s=120)
    finally:
        bus.delete_queue(name)
        bus.close()
    scores = []
    for metric in metrics:
        stored = application.scored(metric, ROWS)[::-1]
        assert [row.metric_value for row in stored] == [float(value) for _, value in samples]
        scores.append([(row.raw_anomaly_score, row.anomaly_score, row.display_value) for row in stored])
        for row in stored:
            result = published[metric][row.rowid]
            assert result["value"] == row.metric_value
            assert result["anomaly"] == pytest.approx(row.anomaly_score, abs=1e-9)
            assert result["rawAnomaly"] == pytest.approx(row.raw_anomaly_score, abs=1e-9)
    assert scores[0] == scores[1]
    assert [score for _, score, _ in scores[0][:100]] == [0.0] * 100
    assert any(0 < score < 1 for _, score, _ in scores[0])
