"""Model specifications, and what became of them."""

from __future__ import annotations

import json
from typing import Any

from htmengine.adapters.datasource import createCustomDatasourceAdapter

FIRST = 1_386_201_600  # 2013-12-05
DAY = 86_400


def spec(name: str, **more: Any) -> dict[str, Any]:
    return {"datasource": "custom", "metricSpec": {"metric": name}, **more}


def ranged(name: str, minimum: float, maximum: float, **more: Any) -> dict[str, Any]:
    return spec(name, modelParams={"min": minimum, "max": maximum, **more})


def monitor(given: dict[str, Any]) -> str:
    return createCustomDatasourceAdapter().monitorMetric(given)


def model_config(metric: Any) -> dict[str, Any]:
    return json.loads(metric.model_params)["modelConfig"]["modelParams"]


def has_resolution_for(metric: Any, minimum: float, maximum: float) -> bool:
    """Tell whether the encoder's resolution suits a range."""
    resolution = model_config(metric)["sensorParams"]["encoders"]["c1"]["resolution"]
    return (maximum - minimum) / 300 <= resolution <= (maximum - minimum) / 80
