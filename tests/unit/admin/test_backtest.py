"""Which rules a back-test goes by where it is given none."""

import pytest

from htmengine.admin.backtest import rules_in_use
from htmengine.errors import ConfigError

OPS = '[targets.ops]\nkind = "terminal"\n'


@pytest.mark.parametrize("text", [None, "# nobody is told yet\n", OPS])
def test_without_rules_it_goes_by_what_holds_without_them(tmp_path, text):
    path = tmp_path / "alerts.toml"
    if text is not None:
        path.write_text(text)
    (rule,) = rules_in_use(path).rules
    assert (rule.rows, rule.metrics, bool(rule.targets)) == (3, 2, True)


def test_rules_of_the_file_are_those_in_use_and_faults_are_told(tmp_path):
    path = tmp_path / "alerts.toml"
    path.write_text(OPS + '[[rules]]\nname = "mine"\n')
    assert [rule.name for rule in rules_in_use(path).rules] == ["mine"]
    path.write_text(OPS + "[[rules]]\n")
    with pytest.raises(ConfigError, match="has no name"):
        rules_in_use(path)
