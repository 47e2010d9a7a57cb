"""Names are the field's terms: one name for a thing, everywhere."""

import re
import tokenize
from pathlib import Path

import pytest

import htmengine

SOURCE, TESTS = Path(htmengine.__file__).parent, Path(__file__).parents[1]
TERMS = {
    r"\w*_AT_ONCE|\w*_AT_A_TIME": "*_BATCH_SIZE",
    r"_?MOST_\w+|\w*LONGEST_\w+": "MAX_*",
    r"\w*PATIENCE(_S)?": "*_TIMEOUT_S",
    r"DependencyAway": "DependencyUnavailable",
    r"\w*insist\w*": "retry_while_unavailable",
    r"\w*Overtaken\w*": "WriteConflict",
    r"Resident|Residents": "CachedModel, ModelCache",
    r"Doubt|Doubts": "SuspectedLoss, SuspectedLosses",
    r"Lane": "ShardBatch",
    r"Outbox|outbox": "LinePublisher, publisher",
    r"graveyard|_?bury|Dying": "dead_letters, dead_letter, NewDeadLetter",
    r"heir|holder|roll_call": "next_owner, owner, reap_dead_consumers",
    r"Patient|patients": "MetricReport, reports",
    r"advise": "echo_stderr",
    r"(shared_)?house|House": "server, WebServer",
    r"_?told": "a name that says what it holds: reported, shown, known",
}
"""By pattern of a name that is not used, the term instead."""


def names(path):
    """Yield the names in a file, with where they stand."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.NAME:
                yield token.string, f"{path}:{token.start[0]}"


@pytest.fixture(scope="module")
def places():
    """Give, by name, a place where it stands, of those in files that have a word like one that is not used.

    Naive twins have the names of their kernels.
    """
    twins = TESTS / "reference"
    files = [path for path in (*SOURCE.rglob("*.py"), *TESTS.rglob("*.py")) if twins not in path.parents]
    words = {path: set(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in files}
    unused = re.compile("|".join(TERMS))
    suspects = {word for word in set().union(*words.values()) if unused.fullmatch(word)}
    return dict(found for path in files if words[path] & suspects for found in names(path))


@pytest.mark.parametrize("pattern", TERMS)
def test_a_thing_has_the_name_that_the_field_gives_it(places, pattern):
    found = {name: place for name, place in places.items() if re.fullmatch(pattern, name)}
    assert found == {}, f"say {TERMS[pattern]}"
