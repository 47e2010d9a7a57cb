"""What the engine creates is for its user alone, whatever the umask."""

import fcntl
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from htmengine import config
from htmengine.adapters.datasource import CustomAdapter
from htmengine.cli.commands.config import check
from htmengine.config import templates
from htmengine.config.files import Config
from htmengine.service.context import opened
from htmengine.service.status_files import Reporter
from htmengine.system import private
from nta.utils.logging_support_raw import LoggingSupport, setLogDir


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder):
    """Return what is open to others than the owner, with its mode."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # services replace their files all the time
            found[path] = stat.S_IMODE(path.stat().st_mode)
    assert found
    wrong = {path: oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)}
    return wrong, {path.name for path in found}


@pytest.mark.usefixtures("umask")
def test_an_installation_is_for_its_user_alone(tmp_path):
    settings = config.embedded(tmp_path / "some" / "data")
    with opened(settings) as context:
        CustomAdapter(context.database, context.bus, settings).monitorMetric(
            {"datasource": "custom", "metricSpec": {"metric": "m"}}
        )
        reporter = Reporter(tmp_path / "some" / "data" / "services")
        reporter.start(["metric_storer"], {}, {})
        reporter.write()
        wrong, names = modes(tmp_path / "some")
        reporter.close()
    assert not wrong
    assert names >= {
        "starting.lock",
        "repository.sqlite",
        "repository.sqlite-wal",
        "services",
        f"metric_storer.{os.getpid()}.json",
    }


@pytest.mark.usefixtures("umask")
def test_a_configuration_is_for_its_user_alone(tmp_path):
    templates.write(tmp_path / "app", "app")
    overrides = Config("application.conf", str(tmp_path / "app" / "conf"), mode=Config.MODE_OVERRIDE_ONLY)
    overrides.add_section("repository")
    overrides.set("repository", "passwd", "secret")
    overrides.save()
    wrong, names = modes(tmp_path / "app")
    assert not wrong
    assert {"application.conf", "rabbitmq.conf", "overrides", "logs", "data"} <= names
    text = (tmp_path / "app" / "conf" / "supervisord.conf").read_text()
    assert f"[unix_http_server]\nfile={tmp_path}/app/logs/supervisor.sock\nchmod=0700\n" in text
    assert "inet_http_server" not in text
    assert "\numask=077\n" in text


@pytest.mark.usefixtures("umask")
def test_logs_are_for_their_user_alone(tmp_path):
    import logging

    setLogDir(str(tmp_path))
    try:
        LoggingSupport.initTool()
        (path,) = (tmp_path / "processes").iterdir()
        assert oct(path.stat().st_mode)[-3:] == "600"
    finally:
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def test_what_earlier_versions_left_open_to_all_is_closed_and_the_group_keeps_its_part(tmp_path):
    data = tmp_path / "data"
    settings = config.embedded(data)
    with opened(settings):
        pass
    for name in ("repository.sqlite", "bus.sqlite", "starting.lock"):
        if (data / name).exists():
            (data / name).chmod(0o664)
    with opened(settings):
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.glob("*.sqlite")}
    assert set(found.values()) == {0o660}
    assert stat.S_IMODE((data / "starting.lock").stat().st_mode) == 0o660


def test_a_lock_on_a_database_outlives_another_look_at_its_file(tmp_path):
    path = tmp_path / "d.sqlite"
    private.database(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    path.chmod(0o644)
    private.database(path)
    begin = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    other = subprocess.run([sys.executable, "-c", begin], capture_output=True, text=True, check=False)
    assert "database is locked" in other.stderr
    connection.close()


def test_who_may_read_a_configuration_cannot_hold_it_up(tmp_path):
    templates.write(tmp_path, "app")
    with (tmp_path / "conf" / "application.conf").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert Config("application.conf", str(tmp_path / "conf")).get("repository", "db") == "app"


def test_what_is_open_to_all_is_known(tmp_path):
    file = tmp_path / "file"
    private.write_text(file, "secret")
    assert not private.open_to_all(file)
    for one in (tmp_path, *tmp_path.parents):
        if one.owner() == file.owner() and not one.stat().st_mode & stat.S_IXOTH:
            assert not private.open_to_all(file)
    file.chmod(0o644)
    reached = all(one.stat().st_mode & stat.S_IXOTH for one in file.parents)
    assert private.open_to_all(file) == reached
    assert not private.open_to_all(tmp_path / "none")


def test_a_program_creates_nothing_for_others():
    before = os.umask(0o022)
    try:
        with private.umask():
            assert os.umask(0o077) == 0o077
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_check_warns_of_what_every_user_may_read(capsys):
    with tempfile.TemporaryDirectory() as folder:  # in a place that all may enter
        app = Path(folder) / "app"
        templates.write(app, "app")
        check(app / "conf")
        assert capsys.readouterr().err == ""
        for path in (Path(folder), app, app / "conf"):
            path.chmod(0o755)
        (app / "conf" / "rabbitmq.conf").chmod(0o644)
        check(app / "conf")
        warned = [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()]
        assert warned == [f"! {app / 'conf'}", f"! {app / 'conf' / 'rabbitmq.conf'}"]


class TestReplacedText:
    def test_is_that_of_the_file_with_its_mode(self, tmp_path):
        path = tmp_path / "file"
        path.write_text("old")
        path.chmod(0o640)
        private.replace_text(path, "new")
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert list(tmp_path.iterdir()) == [path]

    def test_makes_a_missing_file_for_its_owner(self, tmp_path):
        private.replace_text(tmp_path / "file", "new")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600

    def test_is_where_a_link_leads_to(self, tmp_path):
        (tmp_path / "there").mkdir()
        target, link = tmp_path / "there" / "file", tmp_path / "link"
        target.write_text("old")
        link.symlink_to(target)
        private.replace_text(link, "new")
        assert link.is_symlink()
        assert target.read_text() == "new"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_belongs_to_whom_the_file_belonged(self, tmp_path):
        path = tmp_path / "file"
        path.write_text("old")
        os.chown(path, 12345, 23456)
        private.replace_text(path, "new")
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)

    def test_is_not_written_where_the_owner_cannot_be_kept(self, tmp_path, monkeypatch):
        path = tmp_path / "file"
        path.write_text("old")

        def refused(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(private.os, "chown", refused)
        made = private.os.stat_result((*path.stat()[:4], 12345, *path.stat()[5:]))
        real = Path.stat
        monkeypatch.setattr(Path, "stat", lambda one, **how: made if one == path else real(one, **how))
        with pytest.raises(PermissionError):
            private.replace_text(path, "new")
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_is_not_that_of_a_file_that_may_only_be_read(self, tmp_path, monkeypatch):
        path = tmp_path / "file"
        path.write_text("old")
        monkeypatch.setattr(private.os, "access", lambda *_: False)  # root may write everything
        with pytest.raises(PermissionError):
            private.replace_text(path, "new")
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]
