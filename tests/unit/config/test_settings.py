"""Settings from an application's configuration directory."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from htmengine import config
from htmengine.cli.app import app
from htmengine.config import settings, templates
from htmengine.config.options import metric_address
from htmengine.errors import ConfigError


@pytest.fixture
def application(tmp_path):
    templates.write(tmp_path / "app", "traffic")
    return tmp_path / "app" / "conf"


def change(directory, file, old, new):
    path = directory / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_fresh_configuration_runs_without_servers_below_its_own_folder(application):
    settings = config.load(application)
    data = application.parent / "data"
    assert (settings.bus, settings.repository.dialect) == ("embedded", "sqlite")
    assert settings.bus_path == data / "bus.sqlite"
    assert settings.repository.path == data / "repository.sqlite"
    assert settings.checkpoint_root == data / "checkpoints"
    assert settings.listener.queue == "traffic.metric.custom.data"
    assert settings.results_exchange == "traffic.model.results"
    assert settings.batches_exchange == "traffic.model.results.batches"
    assert settings.model_input_queue(3) == "traffic.mswapper.model.input.0003"
    assert settings.results_shard_queue(12) == "traffic.mswapper.results.0012"
    assert settings.storer.rules == application / "monitor-rules.conf"


def test_new_metrics_may_be_limited(application):
    limits = config.load(application).storer
    assert (limits.new_series_per_minute, limits.max_series) == (100_000, 1_000_000)
    path = application / "application.conf"
    path.write_text(
        path.read_text().replace("#new_series_per_minute = 100000", "new_series_per_minute = 500")
    )
    assert config.load(application).storer.new_series_per_minute == 500
    path.write_text(path.read_text().replace("minute = 500", "minute = -1"))
    with pytest.raises(ConfigError, match=r"new_series_per_minute.*negative"):
        config.load(application)


def test_models_get_a_quarter_of_the_memory_that_there_is(application, monkeypatch):
    for available, mebibytes in ((16 << 30, 4096), (512 << 20, 256), (0, 2048)):
        monkeypatch.setattr(settings, "available_bytes", lambda available=available: available)
        assert config.load(application).scheduler.resident_bytes == mebibytes << 20
        assert config.Scheduler().resident_bytes == mebibytes << 20


@pytest.mark.parametrize(
    ("mebibytes", "cache", "others", "models"),
    [(40, 4, 4, 20), (200, 12.5, 6.25, 131), (1024, 64, 16, 884), (8192, 128, 16, 7988)],
)
def test_what_is_kept_beside_the_models_is_part_of_their_memory(mebibytes, cache, others, models):
    memory = config.Scheduler(resident_bytes=mebibytes << 20)
    assert memory.cache_bytes == cache * 2**20
    assert memory.small_cache_bytes == others * 2**20
    assert memory.model_bytes == models * 2**20


def test_the_template_says_the_defaults(application):
    written, built_in = config.load(application), config.Settings()
    assert written.scheduler == built_in.scheduler
    assert written.likelihood == built_in.likelihood
    assert written.retention == built_in.retention
    assert written.shards == built_in.shards
    assert written.listener.port == built_in.listener.port == 2003
    assert written.listener.host == "127.0.0.1"


def test_every_commented_default_is_an_option_that_is_read(application):
    path = application / "application.conf"
    path.write_text(path.read_text().replace("\n#", "\n").replace("\n ", "\n# "))
    settings = config.load(application)
    assert settings.retention.days == 90
    assert settings.scheduler == config.Scheduler(resident_bytes=2048 << 20)


def test_every_fault_is_reported_at_once_with_its_file_and_section(application):
    change(application, "application.conf", "plaintext_port = 2003", "plaintext_port = 2oo3")
    change(application, "application.conf", "bus = embedded", "bus = kafka")
    change(application, "model-swapper.conf", "checkpoint = 500", "checkpoint = 0")
    change(application, "model-checkpoint.conf", "root = ", "root = relative")
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    message = str(caught.value)
    assert len(message.splitlines()) == 4
    assert '[metric_listener] plaintext_port = "2oo3" is not a whole number' in message
    assert '[engine] bus = "kafka" is none of embedded, rabbitmq' in message
    assert "[model_runner] target_requests_per_checkpoint" in message
    assert f"{application / 'model-checkpoint.conf'}: [storage] root" in message
    assert caught.value.exit_code == 2


def test_a_configuration_of_the_original_means_rabbitmq_and_mysql(tmp_path):
    (tmp_path / "application.conf").write_text(
        "[debugging]\nprofiling = false\n[repository]\ndb = app\nhost = db.example\nuser = app\npasswd = secret\n"
        "port = 3306\n[metric_streamer]\nresults_exchange_name = app.model.results\nchunk_size = 1440\n"
        "[metric_collector]\npoll_interval = 60\n[metric_listener]\nplaintext_port = 2003\n"
        "queue_name = app.metric.custom.data\n[web]\nanything = goes\n"
        "[security]\napikey =\n"
    )
    settings = config.load(tmp_path)
    assert (settings.bus, settings.repository.dialect, settings.shards) == ("rabbitmq", "mysql", 16)
    assert settings.repository.host == "db.example"
    assert "secret" not in repr(settings)


def test_the_broker_is_that_of_the_configuration_directory_or_else_that_of_nta_utils(
    application, monkeypatch, tmp_path
):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(settings, "SHARED_CONF", shared)
    (shared / "rabbitmq.conf").write_text("[connection]\nhost = shared.example\n")
    (application / "rabbitmq.conf").unlink(missing_ok=True)
    assert config.load(application).broker == config.Broker(host="shared.example")
    (application / "rabbitmq.conf").write_text(
        "[connection]\nhost = mq.example\nport = 5671\nvirtual_host = app\n"
        "[credentials]\nuser = app\npassword = secret\n[management]\nport = 15672\n"
        f"[tls]\nenabled = true\nca_file = {__file__}\n"
    )
    monkeypatch.setenv("_NTA_UTILS_CONFIG__RABBITMQ__CREDENTIALS__PASSWORD", "more secret")
    broker = config.load(application).broker
    assert (broker.host, broker.port, broker.virtual_host) == ("mq.example", 5671, "app")
    assert (broker.user, broker.password, broker.tls) == ("app", "more secret", True)
    assert broker.ca_file == Path(__file__)
    assert "secret" not in repr(broker)
    (application / "rabbitmq.conf").write_text("[connection]\nport = many\n")
    with pytest.raises(ConfigError, match=r'rabbitmq\.conf: \[connection\] port = "many"'):
        config.load(application)


def test_overrides_win_over_the_baseline_and_the_environment_over_both(application, monkeypatch):
    (application / "overrides").mkdir()
    (application / "overrides" / "application.conf").write_text("[metric_listener]\nplaintext_port = 2103\n")
    assert config.load(application).listener.port == 2103
    monkeypatch.setenv("_NTA_UTILS_CONFIG__APPLICATION__METRIC_LISTENER__PLAINTEXT_PORT", "2203")
    assert config.load(application).listener.port == 2203
    monkeypatch.setenv("_NTA_UTILS_CONFIG__MODEL_SWAPPER__INTERFACE_BUS__RESULTS_QUEUE", "isolated")
    assert config.load(application).results_queue == "isolated"


def test_a_directory_or_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration directory"):
        config.load(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"application\.conf: there is no such file"):
        config.load(tmp_path)


def test_a_file_that_is_no_configuration_is_a_fault_and_not_a_traceback(application):
    (application / "model-swapper.conf").write_bytes(b"\xff\xfe nonsense\n")
    with pytest.raises(ConfigError, match=r"model-swapper\.conf: cannot be read"):
        config.load(application)


def test_init_overwrites_nothing_and_refuses_names_that_no_queue_can_have(tmp_path):
    from htmengine.errors import MisuseError

    templates.write(tmp_path, "one")
    with pytest.raises(MisuseError, match="there already"):
        templates.write(tmp_path, "two")
    assert config.load(tmp_path / "conf").listener.queue.startswith("one.")
    with pytest.raises(MisuseError, match="cannot begin"):
        templates.write(tmp_path / "other", "no good")
    assert not (tmp_path / "other").exists()


def test_no_placeholder_is_left_in_any_file(application):
    for file in templates.FILES:
        assert not re.search("@[A-Z_]+@", (application / file).read_text())


@pytest.mark.parametrize(
    ("dialect", "user", "port"), [("mysql", "root", 3306), ("postgresql", "postgres", 5432)]
)
def test_a_configuration_for_servers_names_a_fresh_server_and_keeps_models_there(
    tmp_path, dialect, user, port
):
    choices = templates.Choices(bus="rabbitmq", dialect=dialect, port=2103)
    templates.write(tmp_path, "traffic", choices)
    settings = config.load(tmp_path / "conf")
    assert (settings.bus, settings.repository.dialect) == ("rabbitmq", dialect)
    assert (settings.repository.db, settings.repository.user, settings.repository.port) == (
        "traffic",
        user,
        port,
    )
    assert (settings.checkpoint_store, settings.shards, settings.listener.port) == ("repository", 16, 2103)


def test_the_listener_under_supervisord_is_told_its_address(application):
    assert "metric_listener --host 127.0.0.1\n" in (application / "supervisord-base.conf").read_text()


def test_profiling_is_asked_for_in_two_files(application):
    assert not config.load(application).profiling
    change(application, "model-swapper.conf", "profiling = false", "profiling = true")
    settings = config.load(application)
    assert (settings.profiling, settings.scheduler.profiling) == (False, True)
    change(application, "application.conf", "profiling = false", "profiling = true")
    assert config.load(application).profiling


@pytest.mark.parametrize(
    "line",
    [
        "passwd = s3cr%et",
        "passwd = %(s3cret)s",
        "passwd s3cret",
        "[repository]\npasswd = s3cret\npasswd = s3cret",
    ],
)
def test_a_fault_of_a_password_does_not_show_it(application, line):
    change(application, "application.conf", "passwd =", line)
    with pytest.raises(ConfigError, match=r"application\.conf: .*(repository|passwd|line \d+)") as caught:
        config.load(application)
    assert "s3cr" not in str(caught.value)
    assert "%et" not in str(caught.value)


def test_a_file_with_lines_that_say_nothing_is_said_by_their_numbers(application):
    (application / "model-swapper.conf").write_text(
        "[debugging]\nprofiling\n[model_runner]\nnonsense\ntarget_requests_per_checkpoint = many\n"
    )
    (application / "model-checkpoint.conf").write_text("root = /tmp\n")
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    assert "model-swapper.conf: cannot be read: line 2, 4: neither [section] nor option = value" in str(
        caught.value
    )
    assert 'target_requests_per_checkpoint = "many" is not a whole number' in str(caught.value)
    assert "model-checkpoint.conf: cannot be read: line 1: there is no [section] before it" in str(
        caught.value
    )


def test_an_empty_variable_of_the_environment_overrides_as_well(application, monkeypatch):
    change(application, "application.conf", "passwd =", "passwd = 50%")
    monkeypatch.setenv("_NTA_UTILS_CONFIG__APPLICATION__REPOSITORY__PASSWD", "")
    assert config.load(application).repository.passwd == ""


def test_an_option_of_ours_that_nobody_knows_is_a_fault(application):
    change(application, "application.conf", "#retention_days = 90", "retention_day = 90")
    change(application, "application.conf", "#flush = 60", "flash = 60")
    change(application, "application.conf", "#new_series_per_minute = 100000", "new_series = 7")
    change(application, "rabbitmq.conf", "#ca_file", "cafile")
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    assert "[engine] retention_day is not known; do you mean retention_days?" in str(caught.value)
    assert "[statsd] flash is not known; do you mean flush?" in str(caught.value)
    assert "[limits] new_series is not known" in str(caught.value)
    assert "[tls] cafile is not known; do you mean ca_file?" in str(caught.value)


def test_the_number_of_queues_as_an_option_is_answered_by_the_command_that_sets_it(application):
    change(application, "application.conf", "#retention_days = 90", "data_queues = 4")
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    assert "[engine] data_queues is not known: `htmengine queues NUMBER` sets" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("tls_key = /k", "names one of tls_certificate and tls_key; TLS needs both"),
        ("tls_client_ca_file = /c", "names tls_client_ca_file; TLS needs tls_certificate and tls_key, too"),
        (
            "tls_certificate = /c\ntls_key = /k\ntls_client_ca = /c",
            "tls_client_ca is not known; do you mean tls_client_ca_file?",
        ),
    ],
)
def test_a_port_for_lines_that_is_half_encrypted_is_a_fault(application, written, said):
    change(application, "application.conf", "#pickle_port = 0", f"applications_own = 1\n{written}")
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    assert str(caught.value).endswith(f"[metric_listener] {said}")


def test_files_of_tls_are_looked_for_where_it_is_asked_for(application):
    change(application, "rabbitmq.conf", "#ca_file = /etc/ssl/broker-ca.pem", "ca_file = /nowhere/ca.pem")
    change(application, "application.conf", "#tls_key = /etc/ssl/client.key", "tls_key = /nowhere/key")
    config.load(application)
    change(application, "rabbitmq.conf", "enabled = false", "enabled = true")
    change(application, "application.conf", "#tls = false", "tls = true")
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    assert '[tls] ca_file = "/nowhere/ca.pem" is not a file that can be read' in str(caught.value)
    assert '[repository] tls_key = "/nowhere/key" is not a file that can be read' in str(caught.value)


@pytest.mark.parametrize(
    ("servers", "advice"),
    [
        ([], []),
        (["--bus", "rabbitmq"], ["rabbitmq.conf."]),
        (["--repository", "mysql"], ["[repository] of application.conf.", "db create"]),
        (
            ["--bus", "rabbitmq", "--repository", "postgresql"],
            ["rabbitmq.conf and [repository] of application.conf.", "db create"],
        ),
    ],
)
def test_init_says_what_is_to_do_before_servers_can_be_used(tmp_path, servers, advice):
    done = CliRunner().invoke(app, ["init", str(tmp_path / "app"), *servers])
    *before, start, _ = done.stderr.splitlines()
    assert start.startswith("Start it: htmengine up")
    assert len(before) == len(advice)
    assert all(expected in line for expected, line in zip(advice, before, strict=True))


def test_what_statsd_gives_is_chosen_by_options(application):
    path = application / "application.conf"
    text = path.read_text()
    for old, new in {
        "#timers = count_ps, mean, upper_p, upper": "timers = mean upper_p",
        "#percentiles = 90": "percentiles = 50, 99.9 -10",
        "#counts = false": "counts = true",
        "#signed_gauges = delta": "signed_gauges = absolute",
        "#prefix =\n": "prefix = app.\n",
        "#sanitize = statsd": "sanitize = none",
    }.items():
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    found = config.load(application).statsd
    assert (found.series.timers, found.series.percentiles) == (("mean", "upper_p"), (50.0, 99.9, -10.0))
    assert (found.series.counts, found.series.prefix, found.series.legacy_names) == (True, "app.", False)
    assert (found.dialect.signed_gauges, found.dialect.sanitize) == ("absolute", "none")
    path.write_text(
        text.replace("mean upper_p", "mean p90").replace("-10", "0").replace("= app.", "= my app")
    )
    with pytest.raises(ConfigError) as caught:
        config.load(application)
    assert "has p90; there are count, count_ps" in str(caught.value)
    assert "has 0; a percentile is above 0" in str(caught.value)
    assert "cannot begin a name" in str(caught.value)


def test_the_address_of_a_metric_in_grafana_names_what_it_takes():
    address = "https://grafana.example.com/d/x?var-metric={metric}&from={from}&to={to}"
    assert metric_address(address) == address
    with pytest.raises(ValueError, match=r"has \{name\}; known are \{metric\}, \{from\}, \{to\}"):
        metric_address("https://grafana.example.com/{name}")
    with pytest.raises(ValueError, match="not an address"):
        metric_address("grafana.example.com/{metric}")


def test_a_data_folder_may_have_settings_of_its_own(tmp_path):
    plain = config.embedded(tmp_path)
    (tmp_path / "application.conf").write_text("# Nothing yet.\n")
    assert config.embedded(tmp_path) == plain
    (tmp_path / "application.conf").write_text(
        "[http]\npublic_url = https://engine.example\n[prometheus]\nscores = true\n[engine]\nretention_days = 7\n"
    )
    changed = config.embedded(tmp_path)
    assert (changed.http.public_url, changed.prometheus.scores) == ("https://engine.example", True)
    assert changed.retention.days == 7
    assert (changed.bus_path, changed.repository, changed.storer, changed.alerts) == (
        plain.bus_path,
        plain.repository,
        plain.storer,
        plain.alerts,
    )


def test_settings_in_a_data_folder_are_read_as_strictly_and_move_no_data(tmp_path):
    (tmp_path / "application.conf").write_text("[engine]\ndata_dir = /elsewhere\n[mcp]\nenable = true\n")
    with pytest.raises(ConfigError) as raised:
        config.embedded(tmp_path)
    assert "[engine] data_dir is /elsewhere, but this file lies in a data folder itself" in str(raised.value)
    assert "[mcp] enable is not known; do you mean enabled?" in str(raised.value)


def test_settings_in_a_data_folder_are_checked(tmp_path):
    def check():
        return CliRunner().invoke(app, ["config", "check", "--data", str(tmp_path)])

    (tmp_path / "application.conf").write_text("[http]\nport = 2090\n")
    checked = check()
    assert (checked.exit_code, '"bus": "embedded"' in checked.output, "2090" in checked.output) == (
        0,
        True,
        True,
    )
    (tmp_path / "application.conf").write_text("[http]\nport = many\n")
    checked = check()
    assert (checked.exit_code, "[http] port" in checked.output) == (2, True)
