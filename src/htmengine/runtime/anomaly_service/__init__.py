"""The anomaly service: takes what the models score, makes it final, and publishes it.

`python -m htmengine.runtime.anomaly_service` runs it alone. Importing this package is cheap, since applications do it to
read results.
"""

from __future__ import annotations

from typing import Any

from htmengine import messages


class AnomalyService:
    """The service as applications know it."""

    @staticmethod
    def deserializeModelResult(payload: bytes) -> dict[str, Any]:  # noqa: N802
        """Return the object in a message from the results exchange: scores of a metric, or a command's result.

        Raises MalformedMessage.
        """
        return messages.decode_compressed(payload, dict[str, Any])
