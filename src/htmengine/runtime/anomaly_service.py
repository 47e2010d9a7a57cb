"""The anomaly service: takes what the models score, makes it final, and publishes it.

`python -m htmengine.runtime.anomaly_service` runs it alone. Importing this module is cheap, since applications do it to
read results; the stage itself is in `htmengine.runtime.final_scores`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from htmengine import messages

if TYPE_CHECKING:
    from htmengine.runtime.final_scores import FinalScores
    from htmengine.runtime.opening import Context

NAME: Final = "anomaly_service"


class AnomalyService:
    """The service as applications know it."""

    @staticmethod
    def deserializeModelResult(payload: bytes) -> dict[str, Any]:  # noqa: N802
        """Return the object in a message from the results exchange: scores of a metric, or a command's result.

        Raises MalformedMessage.
        """
        return messages.decode_compressed(payload, dict[str, Any])


def build(context: Context) -> FinalScores:
    """Return the stage for a program's context."""
    from htmengine.runtime.final_scores import FinalScores

    return FinalScores(
        context.engine, context.bus, context.settings, shards=context.shards, step=context.step
    )


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    from htmengine.runtime import process

    process.main(build, NAME)


if __name__ == "__main__":
    main()
