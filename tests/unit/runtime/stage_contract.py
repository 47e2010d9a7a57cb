"""What every stage keeps.

The tests of a stage derive a class from `StageContract` and give it the fixture `new_case`, which returns a function
that makes a `Case`: the stage with a repository of its own and messages for it.
"""

import itertools
from typing import Protocol

import pytest

from htmengine.bus import Delivery

JUNK = [b"", b"\xff\xfe\xfd", b"{}", b"[]", b'"text"', b"\x80", b"\x93\x01\x02\x03"]


class Case(Protocol):
    stage: object
    """The stage as it runs now."""
    messages: list[bytes]
    """At least three that are worked on, in their order."""

    def restart(self):
        """Make the stage anew, as after a crash: what was not durable is forgotten."""

    def effects(self):
        """Return all that has become durable, such that two cases that were given the same can be compared."""


class StageContract:
    @pytest.fixture
    def case(self, new_case):
        return new_case()

    def give(self, case, *bodies, deliveries=1):
        """Let the stage work on one batch, as its service does."""
        tags = itertools.count(1)
        batch = [Delivery(case.stage.queues[0], body, {}, deliveries, 1, next(tags)) for body in bodies]
        outcome = case.stage.process(batch)
        case.stage.settle()
        return outcome

    def test_messages_have_effects(self, case):
        before = case.effects()
        for body in case.messages:
            now = self.give(case, body) and case.effects()
            assert now != before
            before = now

    def test_the_same_message_twice_changes_nothing_the_second_time(self, case):
        for body in case.messages:
            self.give(case, body)
            before = case.effects()
            outcome = self.give(case, body, deliveries=2)
            assert case.effects() == before
            assert not outcome.dead_letters

    def test_all_messages_again_change_nothing_after_a_crash(self, case):
        self.give(case, *case.messages)
        before = case.effects()
        case.restart()
        for body in case.messages:
            self.give(case, body, deliveries=2)
        assert case.effects() == before

    def test_a_crash_between_two_messages_changes_nothing(self, case, new_case):
        calm = new_case()
        self.give(calm, *calm.messages)
        for body in case.messages:
            self.give(case, body)
            case.restart()
        assert case.effects() == calm.effects()

    def test_one_batch_has_the_effects_of_many(self, case, new_case):
        together = new_case()
        self.give(together, *together.messages)
        for body in case.messages:
            self.give(case, body)
        assert case.effects() == together.effects()

    def test_malformed_messages_become_dead_letters_and_their_neighbours_are_worked_on(self, case, new_case):
        calm = new_case()
        self.give(calm, *calm.messages)
        first, *rest = case.messages
        outcome = self.give(case, first, *JUNK, *rest)
        assert [(dead.body, dead.tag) for dead, _ in outcome.dead_letters] == [
            (junk, tag) for tag, junk in enumerate(JUNK, 2)
        ]
        assert all(reason.startswith("not ") for _, reason in outcome.dead_letters)
        assert case.effects() == calm.effects()

    def test_malformed_messages_alone_have_no_effect(self, case):
        before = case.effects()
        outcome = self.give(case, *JUNK)
        assert [delivery.body for delivery, _ in outcome.dead_letters] == JUNK
        assert case.effects() == before
        assert not outcome.publish

    def test_nothing_comes_of_nothing(self, case):
        before = case.effects()
        outcome = self.give(case)
        assert (list(outcome.publish), list(outcome.dead_letters), list(outcome.best_effort)) == ([], [], [])
        assert case.effects() == before
