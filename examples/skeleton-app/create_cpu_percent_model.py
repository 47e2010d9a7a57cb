#!/usr/bin/env python
"""Give the metric cpu_percent a model. Before its first sample or after it: what is stored already is learned too."""

from htmengine.adapters.datasource import createDatasourceAdapter
from htmengine.exceptions import MetricAlreadyMonitored

SPEC = {
    "datasource": "custom",
    "metricSpec": {"metric": "cpu_percent", "unit": "Percent"},
    "modelParams": {"min": 0, "max": 100},  # what is known of the values; optional
}


def main() -> None:
    adapter = createDatasourceAdapter(SPEC["datasource"])
    try:
        print("model", adapter.monitorMetric(SPEC))
    except MetricAlreadyMonitored as error:
        print("model", error.uid, "is there already")


if __name__ == "__main__":
    main()
