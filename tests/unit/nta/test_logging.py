import logging
import sys

import pytest

import htmengine
from htmengine import htmengine_logging
from nta.utils import logging_support_raw
from nta.utils.extended_logger import ExtendedLogger
from nta.utils.logging_support_raw import LoggingSupport


@pytest.fixture(autouse=True)
def root_as_before(monkeypatch, tmp_path):
    """Keep the handlers of the tests' own logging from being closed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    monkeypatch.setattr(logging_support_raw._Place, "folder", str(tmp_path))
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_tool_logs_to_standard_error_and_to_its_file(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["/opt/app/collect.py"])
    LoggingSupport.initTool()
    logging.getLogger("app").info("began")
    assert LoggingSupport.getApplicationLogFilePath() == str(tmp_path / "processes" / "collect.log")
    line = (tmp_path / "processes" / "collect.log").read_text()
    assert line == capsys.readouterr().err
    assert "Z app(" in line
    assert "INFO began" in line


def test_a_service_logs_to_standard_error_alone(tmp_path, capsys):
    LoggingSupport.initService("ERROR")
    logging.getLogger("app").info("began")
    logging.getLogger("app").error("ended")
    assert "ended" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_level_may_be_a_number_and_the_brokers_client_is_quiet(capsys):
    LoggingSupport.initService(logging.DEBUG)
    logging.getLogger("app").debug("began")
    logging.getLogger("pika.connection").info("state: OPEN")
    stderr = capsys.readouterr().err
    assert "began" in stderr
    assert "OPEN" not in stderr


def test_without_console_and_file_nothing_is_said(capsys):
    LoggingSupport.initLogging("DEBUG", console=None)
    logging.getLogger("app").error("ended")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [{"loggingLevel": "LOUD"}, {"loggingLevel": 7}, {"console": "printer"}])
def test_an_unknown_level_or_console_is_refused(wrong):
    with pytest.raises(ValueError, match=r"LOUD|7|printer"):
        LoggingSupport.initLogging(**wrong)


def test_a_log_file_needs_a_folder(monkeypatch):
    monkeypatch.setattr(logging_support_raw._Place, "folder", None)
    with pytest.raises(ValueError, match="setLogDir"):
        LoggingSupport.getLoggingRootDir()
    logging_support_raw.setLogDir("/var/log/app")
    assert LoggingSupport.getLoggingRootDir() == "/var/log/app"


def test_extended_loggers_begin_with_the_common_prefix(caplog, monkeypatch):
    monkeypatch.setattr(ExtendedLogger, "_prefix", "")
    logger = ExtendedLogger.getExtendedLogger("app")
    logging.getLogger().addHandler(caplog.handler)
    logger.warning("plain")
    ExtendedLogger.setLogPrefix(htmengine_logging.getStandardLogPrefix())
    logger.warning("with %s", "prefix")
    assert caplog.messages == ["plain", f"VER={htmengine.__version__} with prefix"]
    assert not isinstance(logging.getLogger("other"), ExtendedLogger)


def test_a_metric_and_an_address_in_a_log_line():
    class Metric:
        uid, name, status, server = "1f", "cpu", 1, "host"

    prefix = htmengine_logging.getMetricLogPrefix(Metric)
    assert prefix == "METRICID=1f, METRIC=cpu, STATUS=1, SERVER=host"
    assert htmengine_logging.anonymizeEmail("jane.doe@example.com") == "j***e.doe@e***e.com"
