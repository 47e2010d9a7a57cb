"""The benchmarks that documents tell of can be run as they say."""

import re
from collections import defaultdict
from importlib import import_module, util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOLD = [*sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "benchmarks").rglob("*.md"))]
TOLD += sorted((ROOT / "benchmarks").rglob("*.py"))


def described():
    """Return the options that are told of each benchmark, by the module's name."""
    options = defaultdict(set)
    for document in TOLD:
        for name, rest in re.findall(r"python -m (benchmarks\.[a-z_]+)([^`\n#]*)", document.read_text()):
            options[name].update(re.findall(r"--[a-z-]+", rest))
    return options


@pytest.mark.parametrize(("module", "options"), sorted(described().items()))
def test_a_benchmark_knows_the_options_that_documents_give_it(module, options, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [module, "--help"])
    if util.find_spec(module).submodule_search_locations:
        module += ".__main__"
    with pytest.raises(SystemExit) as ended:
        import_module(module).main()
    assert not ended.value.code
    assert options <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
