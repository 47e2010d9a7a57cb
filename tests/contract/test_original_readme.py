"""What the original's README tells its readers to write and to run, taken from that very document."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from htmengine import config
from htmengine.adapters.datasource import createDatasourceAdapter
from htmengine.exceptions import ObjectNotFoundError
from nta.utils.message_bus_connector import MessageBusConnector
from tests.acceptance.engine import STOPS_WITHIN_S, wait_until
from tests.contract import original_readme

VARIABLE = "HTMENGINE_ORIGINAL_README"
RESULTS_QUEUE = "APPLICATION_NAME_results"  # as the document's own program calls it


@pytest.fixture
def document():
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"needs the original's README: {VARIABLE} names none")
    return Path(named)


@pytest.mark.acceptance
@pytest.mark.integration
def test_its_programs_run(document, application, tmp_path):
    queue = application.config.get("metric_listener", "queue_name")
    blocks = original_readme.blocks(document, queue=queue)
    send, create, query, consume = blocks
    with suppress(ObjectNotFoundError):  # of an earlier run against the same application
        createDatasourceAdapter("custom").deleteMetricByName("foo.bar.stats")
    output = tmp_path / "output"
    with output.open("w") as out:
        consumer = subprocess.Popen(
            [sys.executable, "-u", "-c", consume],
            env=os.environ | application.environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        with MessageBusConnector() as bus:
            wait_until(lambda: bus.isMessageQeueuePresent(RESULTS_QUEUE), "the consumer's queue")
        for block in (send, create):
            done = application.run(block)
            assert (done.returncode, done.stderr) == (0, "")
        uid = application.active("foo.bar.stats").uid
        wait_until(lambda: f"Handling `defineModel` for {uid}" in output.read_text(), "news of the model")
        result = f"Handling 1 model result(s) for {uid} - foo.bar.stats"
        wait_until(lambda: result in output.read_text(), output.read_text)
        row = re.compile(rf"^{uid} \[{{.*'value': 21\.0.*}}\]$", re.MULTILINE)
        wait_until(lambda: row.search(output.read_text()), output.read_text)
        done = application.run(query)
        assert done.stderr == ""
        assert re.fullmatch(r"foo\.bar\.stats 21\.0 1443197361 [\d.e-]+\n", done.stdout), done.stdout
    finally:
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(STOPS_WITHIN_S)
        with MessageBusConnector() as bus:
            bus.deleteMessageQueue(RESULTS_QUEUE)


def test_its_configuration_is_taken(document, tmp_path):
    files = original_readme.configuration(document)
    assert set(files) == {
        "application.conf",
        "model-checkpoint.conf",
        "model-swapper.conf",
        "supervisord.conf",
    }
    filled = {"db": "app", "host": "127.0.0.1", "user": "root", "passwd": "", "port": "3306"}
    for name, text in files.items():
        text = text.replace("APPLICATION_NAME", "app").replace(
            "/ABSOLUTE/PATH/ON/LOCAL/FILESYSTEM", str(tmp_path)
        )
        if name == "application.conf":
            text = re.sub(
                r"(?m)^(db|host|user|passwd|port) =$", lambda key: f"{key[1]} = {filled[key[1]]}", text
            )
        (tmp_path / name).write_text(text)
    settings = config.load(tmp_path)
    assert (settings.bus, settings.repository.dialect, settings.repository.db) == ("rabbitmq", "mysql", "app")
    assert settings.results_exchange == "app.model.results"
    assert settings.listener.queue == "app.metric.custom.data"
    assert settings.model_input_queue_prefix == "app.mswapper.model.input."
    assert settings.checkpoint_root == tmp_path / "model_checkpoints"
    assert settings.likelihood == config.Likelihood()


def test_a_print_statement_becomes_a_call():
    text = 'if x:\n  print "a (%d)" % (1,\n      2)\n  print "b",\nprint c\n'
    assert original_readme.with_print_calls(text) == (
        'if x:\n  print("a (%d)" % (1,\n      2))\n  print("b", end=" ")\nprint(c)\n'
    )
