"""Commands to models, one call each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htmengine.model_swapper.model_swapper_interface import ModelSwapperInterface
from htmengine.utils import createGuid


def createHTMModel(modelId: str, params: Mapping[str, Any]) -> None:
    """Define a model; see `ModelSwapperInterface.defineModel`."""
    with ModelSwapperInterface() as swapper:
        swapper.defineModel(modelID=modelId, args=params, commandID=createGuid())


def deleteHTMModel(modelId: str) -> None:
    """Delete a model; see `ModelSwapperInterface.deleteModel`."""
    with ModelSwapperInterface() as swapper:
        swapper.deleteModel(modelID=modelId, commandID=createGuid())
