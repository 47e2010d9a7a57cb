"""The metric storer: lines become numbered rows in the repository, and input for the models.

Start it with `python -m htmengine.runtime.metric_storer`. Of several, one is active and the others stand by: a metric's
rowids follow the order in which its samples came.
"""


def runServer() -> None:
    """Run the storer until SIGTERM or SIGINT. Exits the process."""
    from htmengine.runtime.metric_storer.stage import NAME, build
    from htmengine.service.program import main

    main(build, NAME)
