"""The examples that the fuzzer begins with, and what it has found: see `python -m tests.fuzz`."""

import pytest

from tests.fuzz.parsers import PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_or_refuses_its_examples(name):
    for example in PARSERS[name].examples:
        PARSERS[name].work(example)
