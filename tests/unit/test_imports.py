"""Imports point one way, as docs/explanation/source.md says; and there is no circle, among modules or packages."""

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import htmengine

SOURCE = Path(htmengine.__file__).parents[1]
FLOORS = [
    {
        "errors",
        "exceptions",
        "foreign",
        "htm",
        "htmengineerrno",
        "iso_times",
        "messages",
        "readable",
        "sqlite",
        "system",
        "utils",
    },
    {"doors", "extras"},
    {"config", "labels", "series"},
    {"__init__"},
    {"bus", "htmengine_logging", "repository"},
    {"service"},
    {"model_swapper"},
    {"adapters"},
    {"monitors", "runtime"},
    {"incidents", "silence", "writeback"},
    {"alerts"},
    {"admin", "detection", "graphite"},
    {"histories"},
    {"web"},
    {"cli", "client"},
]
"""Parts of the package, the lowest first: each imports only what is on floors below its own."""


def modules():
    """Return the files of our modules by their dotted names; that of a package ends in `.__init__`."""
    files = [path for package in ("htmengine", "nta") for path in (SOURCE / package).rglob("*.py")]
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in files}


MODULES = modules()


def resolve(name):
    """Return the module that a dotted name means, or of which it is a member; None for what is not ours."""
    while name:
        for candidate in (name, f"{name}.__init__"):
            if candidate in MODULES:
                return candidate
        name = name.rpartition(".")[0]
    return None


def statements(node):
    """Yield what stands below a node, however deep, but for expressions: there are many, and none of them imports."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for inner in getattr(node, block, ()):
            yield inner
            yield from statements(inner)


def imports(path):
    """Yield every name that a file imports, wherever in it, also for type checkers alone."""
    for node in statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports by full names tell where things are"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def graph_of_modules():
    """Return, for each module, those of ours that it imports."""
    return {
        name: {resolve(target) for target in imports(path)} - {None, name} for name, path in MODULES.items()
    }


def circle(graph):
    """Return a circle of a graph, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def children(package):
    """Return the graph of what lies directly in a package: by name, what it imports of the others."""
    prefix = f"{package}."
    graph = defaultdict(set)
    for name, targets in graph_of_modules().items():
        if name.startswith(prefix):
            own = name.removeprefix(prefix).split(".")[0]
            graph[own] |= {
                target.removeprefix(prefix).split(".")[0] for target in targets if target.startswith(prefix)
            } - {own}
    return graph


def test_every_part_has_its_floor():
    there = {name.split(".")[1] for name in MODULES if name.startswith("htmengine.")}
    assert there <= set.union(*FLOORS)
    assert sum(map(len, FLOORS)) == len(set.union(*FLOORS))


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_a_part_imports_only_from_below(floor):
    below = set().union(*FLOORS[:floor])
    graph = children("htmengine")
    assert {part: above for part in FLOORS[floor] if (above := graph[part] - below)} == {}


def test_the_engine_knows_nothing_of_the_compatibility_package():
    assert [name for name, targets in graph_of_modules().items() if name.startswith("htmengine.") for it in targets if it.startswith("nta")] == []  # fmt: skip


def test_no_modules_import_each_other_in_a_circle():
    assert circle(graph_of_modules()) is None


@pytest.mark.parametrize(
    "package", sorted(name.removesuffix(".__init__") for name in MODULES if name.endswith(".__init__"))
)
def test_no_parts_of_a_package_import_each_other_in_a_circle(package):
    assert circle(children(package)) is None
