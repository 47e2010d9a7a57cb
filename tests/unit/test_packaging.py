import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_pins_are_of_final_releases():
    """An older pip, as of Debian 12, finds no others."""
    for pin in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9.]+(post[0-9]+)?", pin), pin


def test_a_plain_installation_draws_no_package_of_an_extra():
    plain = {requirement for requirement in metadata.requires("htmengine") if "extra ==" not in requirement}
    assert sorted(re.split(r"[\[<>=]", one)[0] for one in plain) == sorted(
        re.split(r"[\[<>=]", one)[0] for one in PROJECT["dependencies"]
    )
    drawn = " ".join(plain)
    for package in ("pika", "pymysql", "psycopg", "matplotlib", "pyarrow", "openpyxl"):
        assert package not in drawn


def test_each_python_that_is_named_is_tried():
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    workflow = ROOT / ".github/workflows/checks.yml"
    if workflow.exists():  # not in a source distribution
        assert "python: [" + ", ".join(f'"{python}"' for python in named) + "]" in workflow.read_text()
