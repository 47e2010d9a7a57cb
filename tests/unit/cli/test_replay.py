from typer.testing import CliRunner

from htmengine import config
from htmengine.cli.app import app
from htmengine.service.installation import using


class SendsError(Exception):
    pass


def test_that_nobody_takes_is_said_before_anything_is_sent(tmp_path, monkeypatch):
    def send(*_arguments, **_options):
        raise SendsError  # as if the queue were full for good

    with using(config.embedded(tmp_path)):
        pass
    monkeypatch.setattr("htmengine.admin.backfill.begun", send)
    history = "timestamp,value\n1600000000,1\n1600000060,2\n"
    (tmp_path / "history.csv").write_text(history)
    done = CliRunner().invoke(
        app, ["replay", str(tmp_path / "history.csv"), "--metric", "m", "--data", str(tmp_path)]
    )
    assert isinstance(done.exception, SendsError)
    assert "No metric_storer runs: what is sent waits in the queue." in done.stderr
