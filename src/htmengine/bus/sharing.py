"""Who gets which queue, when several consumers take from the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def share(holders: Mapping[int, int | None], consumers: Sequence[int]) -> dict[int, int]:
    """Return the consumer that each queue should have.

    All consumers get the same number of queues, or one more. No queue moves without need: a consumer that joins gets
    its part from those that have too many, and what one leaves behind goes to those that have too few.

    Parameters
    ----------
    holders : by queue, the consumer that has it now; None, or one that is not among the consumers, for none.
    consumers : those that take from all of these queues; at least one.
    """
    has: dict[int, list[int]] = {consumer: [] for consumer in sorted(consumers)}
    loose = []
    for queue, holder in sorted(holders.items()):
        if holder in has:
            has[holder].append(queue)
        else:
            loose.append(queue)
    least, rest = divmod(len(holders), len(has))
    # Those who have most may keep one more: so fewest queues move.
    by_wealth = sorted(has, key=lambda consumer: -len(has[consumer]))
    quota = {consumer: least + (place < rest) for place, consumer in enumerate(by_wealth)}
    for consumer, queues in has.items():
        loose += queues[quota[consumer] :]
        del queues[quota[consumer] :]
    for consumer, queues in has.items():
        missing = quota[consumer] - len(queues)
        queues += loose[:missing]
        del loose[:missing]
    return {queue: consumer for consumer, queues in has.items() for queue in queues}
