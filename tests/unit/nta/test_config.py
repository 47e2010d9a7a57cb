"""Configuration files with overrides."""

import configparser
import os

import pytest

from nta.utils.config import Config


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model-swapper.conf").write_text(
        "[interface_bus]\nresults_queue = base.results\nprefix = base\ninput = %(prefix)s.input\n[numbers]\nport = 3306\non = yes\n"
    )
    return tmp_path


def opened(folder, mode=Config.MODE_LOGICAL):
    return Config("model-swapper.conf", str(folder), mode)


def test_options_of_the_baseline_are_read_with_interpolation(folder):
    config = opened(folder)
    assert config.get("interface_bus", "results_queue") == "base.results"
    assert config.get("interface_bus", "input") == "base.input"
    assert config.getint("numbers", "port") == 3306
    assert config.getboolean("numbers", "on") is True


def test_a_saved_override_wins_over_the_baseline_and_leaves_the_rest(folder):
    override = opened(folder, Config.MODE_OVERRIDE_ONLY)
    override.add_section("interface_bus")
    override.set("interface_bus", "results_queue", "over.results")
    override.save()
    config = opened(folder)
    assert config.get("interface_bus", "results_queue") == "over.results"
    assert config.getint("numbers", "port") == 3306
    assert (folder / "overrides" / "model-swapper.conf").stat().st_mode & 0o777 == 0o644


def test_saving_again_leaves_nothing_of_a_longer_file(folder):
    override = opened(folder, Config.MODE_OVERRIDE_ONLY)
    override.add_section("numbers")
    override.set("numbers", "port", "1" * 200)
    override.save()
    override.set("numbers", "port", "7")
    override.save()
    assert opened(folder).getint("numbers", "port") == 7


def test_the_environment_wins_over_both_files_and_is_not_interpolated(folder, monkeypatch):
    monkeypatch.setenv("_NTA_UTILS_CONFIG__MODEL_SWAPPER__INTERFACE_BUS__RESULTS_QUEUE", "%(env)s")
    monkeypatch.setenv("_NTA_UTILS_CONFIG__MODEL_SWAPPER__NUMBERS__PORT", "5672")
    config = opened(folder)
    assert config.get("interface_bus", "results_queue") == "%(env)s"
    assert config.getint("numbers", "port") == 5672
    assert dict(config.items("interface_bus"))["results_queue"] == "%(env)s"


def test_the_environment_adds_no_option(folder, monkeypatch):
    monkeypatch.setenv("_NTA_UTILS_CONFIG__MODEL_SWAPPER__NUMBERS__NEW", "1")
    with pytest.raises(configparser.NoOptionError):
        opened(folder).get("numbers", "new")


def test_loading_again_sees_overrides_that_changed_or_went(folder):
    config = opened(folder)
    override = opened(folder, Config.MODE_OVERRIDE_ONLY)
    override.add_section("numbers")
    override.set("numbers", "port", "1")
    override.save()
    config.loadConfig()
    assert config.getint("numbers", "port") == 1
    override.clearAllConfigOverrides()
    config.loadConfig()
    assert config.getint("numbers", "port") == 3306
    assert not (folder / "overrides").exists()


def test_a_logical_config_cannot_be_saved(folder):
    with pytest.raises(TypeError):
        opened(folder).save()


@pytest.mark.parametrize("name", ["", None, 3, "a/b.conf", os.sep])
def test_a_name_that_is_no_file_name_is_a_type_error(folder, name):
    with pytest.raises(TypeError):
        Config(name, str(folder))


def test_a_name_without_stem_and_a_missing_baseline_are_value_errors(folder):
    with pytest.raises(ValueError, match="ending"):
        Config(".conf", str(folder))
    with pytest.raises(ValueError, match="no such"):
        Config("absent.conf", str(folder))


def test_repr_names_file_mode_and_folder(folder):
    assert repr(opened(folder)) == f"Config<name=model-swapper.conf, mode=MODE_LOGICAL, baseDir={folder}>"


def test_the_environment_wins_over_a_value_that_cannot_be_read(folder, monkeypatch):
    (folder / "model-swapper.conf").write_text("[a]\nb = 50%\nc = 1\n")
    monkeypatch.setenv("_NTA_UTILS_CONFIG__MODEL_SWAPPER__A__B", "x")
    assert opened(folder).get("a", "b") == "x"
    assert dict(opened(folder).items("a")) == {"b": "x", "c": "1"}


@pytest.mark.parametrize("value", ["s3cr%et", "%(s3cret)s"])
def test_a_value_that_cannot_be_interpolated_is_not_shown(folder, value):
    (folder / "model-swapper.conf").write_text(f"[a]\npassword = {value}\n")
    for read in (lambda: opened(folder).get("a", "password"), lambda: opened(folder).items("a")):
        with pytest.raises(configparser.InterpolationError, match=r"\[a\] password") as caught:
            read()
        assert "s3cr" not in str(caught.value)
        assert "%et" not in str(caught.value)
