"""The metric storer: lines become numbered rows in the repository, and input for the models.

Start it with `python -m htmengine.runtime.metric_storer`. A metric's rowids follow the order in which its samples came, so
that each metric-data queue has one storer: where there is one queue, others stand by; where there are several, they share them.
"""


def runServer() -> None:
    """Run the storer until SIGTERM or SIGINT. Exits the process."""
    import sys

    from htmengine.runtime.metric_storer.service import work
    from htmengine.runtime.metric_storer.stage import NAME
    from htmengine.service.program import run_program

    sys.exit(run_program(work, NAME))
