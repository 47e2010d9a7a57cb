"""Rows for a model in slices."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from htmengine.model_swapper.model_swapper_interface import (
    ModelInputRow,
    ModelNotFound,
    ModelSwapperInterface,
)


def sendInputRowsToModel(
    modelId: str,
    inputRows: Sequence[ModelInputRow],
    batchSize: int,
    modelSwapper: ModelSwapperInterface,
    logger: logging.Logger,
    profiling: bool = False,
) -> None:
    """Submit rows in slices of `batchSize`, in order. A model that is not there any more ends it with a warning.

    Raises what `ModelSwapperInterface.submitRequests` raises otherwise; earlier slices were submitted then.
    """
    for first in range(0, len(inputRows), batchSize):
        some = inputRows[first : first + batchSize]
        try:
            modelSwapper.submitRequests(modelID=modelId, requests=some)
        except ModelNotFound:
            logger.warning("model %s is gone: %d rows were not submitted", modelId, len(inputRows) - first)
            return
        except Exception:
            logger.exception("rows of model %s could not be submitted", modelId)
            raise
        if profiling:
            logger.info("STRM.DATA.TO_MODEL.DONE: model=%s rows=%d", modelId, len(some))
