"""The documented functions of the repository, under their documented names.

The first argument is always a connection. A function joins the transaction that the caller began; where there is none,
it runs in one of its own, which is committed when it returns. Results are complete: they may be read after the
transaction, and after the next statement.
"""

from htmengine.repository.queries.instances import (
    getInstances,
    getInstanceStatusHistory,
    getMetricCountForServer,
    listMetricIDsForInstance,
    saveMetricInstanceStatus,
)
from htmengine.repository.queries.metric_data import (
    addMetricData,
    getMetricData,
    getMetricDataCount,
    getMetricDataWithRawAnomalyScoresTail,
    getMetricIdsSortedByDisplayValue,
    getMetricStats,
    getProcessedMetricDataCount,
    getUnprocessedModelDataCount,
    incrementMetricRowid,
    updateMetricDataColumns,
)
from htmengine.repository.queries.metrics import (
    addMetric,
    deleteMetric,
    deleteModel,
    getAllMetrics,
    getAllMetricsForServer,
    getAllModels,
    getCustomMetricByName,
    getCustomMetrics,
    getMetric,
    getMetricWithSharedLock,
    getMetricWithUpdateLock,
    lockOperationExclusive,
    setMetricCollectorError,
    setMetricLastTimestamp,
    setMetricStatus,
    updateMetricColumns,
    updateMetricColumnsForRefStatus,
)
from htmengine.repository.status import (
    MetricStatus,
    OperationLock,
)

__all__ = [
    "MetricStatus",
    "OperationLock",
    "addMetric",
    "addMetricData",
    "deleteMetric",
    "deleteModel",
    "getAllMetrics",
    "getAllMetricsForServer",
    "getAllModels",
    "getCustomMetricByName",
    "getCustomMetrics",
    "getInstanceStatusHistory",
    "getInstances",
    "getMetric",
    "getMetricCountForServer",
    "getMetricData",
    "getMetricDataCount",
    "getMetricDataWithRawAnomalyScoresTail",
    "getMetricIdsSortedByDisplayValue",
    "getMetricStats",
    "getMetricWithSharedLock",
    "getMetricWithUpdateLock",
    "getProcessedMetricDataCount",
    "getUnprocessedModelDataCount",
    "incrementMetricRowid",
    "listMetricIDsForInstance",
    "lockOperationExclusive",
    "saveMetricInstanceStatus",
    "setMetricCollectorError",
    "setMetricLastTimestamp",
    "setMetricStatus",
    "updateMetricColumns",
    "updateMetricColumnsForRefStatus",
    "updateMetricDataColumns",
]
