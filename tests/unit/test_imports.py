"""Imports point one way, as docs/explanation/source.md says."""

import ast
from pathlib import Path

import pytest

import htmengine

SOURCE = Path(htmengine.__file__).parent
PARTS = {path.stem for path in SOURCE.iterdir() if path.is_dir() or path.suffix == ".py"}
UPPER = {"adapters", "runtime", "model_swapper", "incidents", "cli", "monitors"}
LOWER = {"bus", "repository", "messages"}
SETTINGS = {"config", "config_files", "config_options"}
NEVER = {
    "htm": PARTS - {"htm"},
    "series": UPPER | LOWER | SETTINGS,
    "messages": PARTS - {"messages"},
    "bus": UPPER | LOWER - {"bus"} | {"htm", "series"},
    "repository": UPPER | LOWER - {"repository"} | {"htm", "series"},
    "adapters": {"cli", "series", "incidents"},
    "runtime": {"cli", "series", "incidents"},
    "model_swapper": {"cli", "series", "incidents"},
    "incidents": {"cli", "series", "adapters", "model_swapper", "htm"},
}


def imported(part):
    """Return what a part of the package imports, anywhere, of the others and of `nta`."""
    found = set()
    files = [SOURCE / f"{part}.py"] if part == "messages" else (SOURCE / part).rglob("*.py")
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            found |= {name.split(".")[1] for name in names if name.startswith("htmengine.")}
            found |= {"nta" for name in names if name.split(".")[0] == "nta"}
    return found


@pytest.mark.parametrize("part", NEVER)
def test_a_part_imports_nothing_from_above(part):
    assert imported(part) & (NEVER[part] | {"nta"}) == set()
