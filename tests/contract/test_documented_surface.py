"""The documented imports: every name is there, and takes the documented arguments in the documented order."""

import enum
import importlib
import inspect
import json
from pathlib import Path

import msgspec
import pytest

import htmengine
from htmengine import exceptions, htmengineerrno, messages
from htmengine.repository import MetricStatus, OperationLock, schema
from htmengine.utils import validate

SIGNATURES = {
    "htmengine:raiseExceptionOnMissingRequiredApplicationConfigPath": "function",
    "htmengine.adapters.datasource:createDatasourceAdapter": "datasource",
    "htmengine.adapters.datasource:createCustomDatasourceAdapter": "",
    "htmengine.adapters.datasource:listDatasourceNames": "",
    "htmengine.adapters.datasource:DatasourceAdapterIface.registerDatasourceAdapter": "adapter",
    **{
        f"htmengine.adapters.datasource:CustomAdapter.{method}": arguments
        for method, arguments in {
            "createMetric": "metricName",
            "deleteMetricByName": "metricName",
            "monitorMetric": "modelSpec",
            "activateModel": "metricId",
            "unmonitorMetric": "metricId",
            "exportModel": "metricId",
            "importModel": "spec",
            "getMatchingResources": "aggSpec",
            "getInstanceNameForModelSpec": "spec",
        }.items()
    },
    **{
        f"htmengine.repository:{function}": arguments
        for function, arguments in {
            "engineFactory": "config reset",
            "getDSN": "config",
            "getDbDSN": "config",
            "getUnaffiliatedEngine": "config",
            "getBaseConnectionArgsDict": "config",
            "retryOnTransientErrors": "function",
            "addMetric": "conn uid datasource name description server location parameters status message "
            "collector_error last_timestamp poll_interval tag_name model_params last_rowid",
            "addMetricData": "conn metricId data",
            "deleteMetric": "conn metricId",
            "deleteModel": "conn metricId",
            "getCustomMetricByName": "conn name fields",
            "getCustomMetrics": "conn fields",
            "getAllMetrics": "conn fields",
            "getAllMetricsForServer": "conn server fields",
            "getAllModels": "conn fields",
            "getMetric": "conn metricId fields",
            "getMetricWithSharedLock": "conn metricId fields",
            "getMetricWithUpdateLock": "conn metricId fields",
            "getMetricCountForServer": "conn server",
            "listMetricIDsForInstance": "conn server",
            "getMetricData": "conn metricId fields rowid start stop limit fromTimestamp toTimestamp score sort",
            "getMetricDataWithRawAnomalyScoresTail": "conn metricId limit",
            "getMetricDataCount": "conn metricId",
            "getProcessedMetricDataCount": "conn metricId",
            "getMetricStats": "conn metricId",
            "getMetricIdsSortedByDisplayValue": "conn period",
            "getUnprocessedModelDataCount": "conn",
            "getInstances": "conn",
            "getInstanceStatusHistory": "conn server",
            "saveMetricInstanceStatus": "conn server status timestamp",
            "setMetricCollectorError": "conn metricId value",
            "setMetricLastTimestamp": "conn metricId value",
            "setMetricStatus": "conn metricId status message refStatus",
            "updateMetricColumns": "conn metricId fields",
            "updateMetricColumnsForRefStatus": "conn metricId refStatus fields",
            "updateMetricDataColumns": "conn metricDataObj fields",
            "lockOperationExclusive": "conn operationLock",
        }.items()
    },
    "htmengine.repository.queries:incrementMetricRowid": "conn metricId amount",
    "htmengine.runtime.anomaly_service:AnomalyService.deserializeModelResult": "payload",
    "htmengine.runtime.metric_listener:runServer": "host port protocol transport",
    "htmengine.runtime.metric_listener:Protocol.values": "",
    "htmengine.runtime.metric_listener:Protocol.getDefaultPort": "protocol",
    "htmengine.runtime.metric_listener:parsePlaintext": "data",
    "htmengine.runtime.metric_storer:runServer": "",
    "htmengine.runtime.metric_streamer_util:MetricStreamer.streamMetricData": "data metricID modelSwapper",
    "htmengine.runtime.scalar_metric_utils:generateSwarmParams": "stats classifierEnabled",
    "htmengine.runtime.scalar_metric_utils:generateSwarmParamsFromCompleteModelParams": "modelSpec",
    "htmengine.runtime.scalar_metric_utils:startMonitoring": "conn metricId swarmParams logger",
    "htmengine.runtime.scalar_metric_utils:startModel": "metricId swarmParams logger",
    "htmengine.runtime.scalar_metric_utils:sendBacklogDataToModel": "conn metricId logger",
    "htmengine.runtime.model_data_feeder:sendInputRowsToModel": "modelId inputRows batchSize modelSwapper logger "
    "profiling",
    **{
        f"htmengine.model_swapper.model_swapper_interface:ModelSwapperInterface.{method}": arguments
        for method, arguments in {
            "defineModel": "modelID args commandID",
            "cloneModel": "modelID newModelID commandID",
            "deleteModel": "modelID commandID",
            "submitRequests": "modelID requests",
            "consumeRequests": "modelID blocking",
            "submitResults": "modelID results",
            "consumeResults": "",
            "initSchedulerNotification": "",
            "consumeModelSchedulerNotifications": "",
            "modelInputPending": "modelID",
            "getModelsWithInputPending": "",
            "cleanUpAfterModelDeletion": "modelID",
            "close": "",
        }.items()
    },
    "htmengine.model_swapper.model_swapper_interface:ModelCommand": "commandID method args",
    "htmengine.model_swapper.model_swapper_interface:ModelCommandResult": "commandID method status args errorMessage",
    "htmengine.model_swapper.model_swapper_interface:ModelInputRow": "rowID data",
    "htmengine.model_swapper.model_swapper_interface:ModelInferenceResult": "rowID status anomalyScore errorMessage "
    "multiStepBestPredictions",
    "htmengine.model_swapper:ModelSwapperConfig": "mode",
    "htmengine.model_swapper:ModelCheckpointConfig": "mode",
    "htmengine.model_swapper.utils:createHTMModel": "modelId params",
    "htmengine.model_swapper.utils:deleteHTMModel": "modelId",
    "htmengine.utils:createGuid": "",
    "htmengine.utils:jsonEncode": "obj",
    "htmengine.utils:jsonDecode": "text",
    "htmengine.utils:roundUpDatetime": "dt periodSec",
    "htmengine.utils:msgpack_pack": "obj",
    "htmengine.utils:msgpack_unpack": "packed",
    "htmengine.utils:validate": "obj schema",
    "htmengine.htmengine_logging:getExtendedLogger": "name",
    "htmengine.htmengine_logging:getLogger": "name",
    "htmengine.htmengine_logging:getStandardLogPrefix": "",
    "htmengine.htmengine_logging:getMetricLogPrefix": "metric",
    "htmengine.htmengine_logging:anonymizeEmail": "email",
    "nta.utils:makeDirectoryFromAbsolutePath": "absDirPath",
    "nta.utils.config:Config": "configName baseConfigDir mode",
    "nta.utils.config:Config.loadConfig": "",
    "nta.utils.config:Config.save": "",
    "nta.utils.config:Config.clearAllConfigOverrides": "",
    "nta.utils.amqp.connection:RabbitmqConfig": "mode",
    "nta.utils.amqp.connection:getRabbitmqConnectionParameters": "",
    "nta.utils.amqp.connection:ConnectionParams": "host port vhost credentials",
    "nta.utils.amqp.connection:PlainCredentials": "username password",
    "nta.utils.amqp.connection:RabbitmqManagementConnectionParams": "",
    "nta.utils.amqp.queue:QueueDeclarationResult": "queue messageCount consumerCount",
    "nta.utils.amqp.consumer:ConsumerCancellation": "consumerTag",
    "nta.utils.amqp.messages:BasicProperties": "contentType contentEncoding headers deliveryMode priority correlationId "
    "replyTo expiration messageId timestamp messageType userId appId clusterId",
    "nta.utils.amqp.messages:Message": "body properties",
    "nta.utils.amqp.messages:ConsumerMessage.ack": "multiple",
    "nta.utils.amqp.messages:ConsumerMessage.nack": "multiple requeue",
    "nta.utils.amqp.messages:MessageDeliveryInfo": "consumerTag deliveryTag redelivered exchange routingKey",
    "nta.utils.amqp.messages:MessageGetInfo": "deliveryTag redelivered exchange routingKey messageCount",
    "nta.utils.amqp.messages:MessageReturnInfo": "replyCode replyText exchange routingKey",
    "nta.utils.amqp.synchronous_amqp_client:SynchronousAmqpClient": "connectionParams channelConfigCb",
    **{
        f"nta.utils.amqp.synchronous_amqp_client:SynchronousAmqpClient.{method}": arguments
        for method, arguments in {
            "isOpen": "",
            "close": "",
            "enablePublisherAcks": "",
            "publish": "message exchange routingKey mandatory",
            "requestQoS": "prefetchSize prefetchCount entireConnection",
            "createConsumer": "queue noLocal noAck exclusive",
            "hasEvent": "",
            "getNextEvent": "",
            "readEvents": "",
            "getOneMessage": "queue noAck",
            "recover": "requeue",
            "ackAll": "",
            "nackAll": "requeue",
            "declareExchange": "exchange exchangeType passive durable autoDelete arguments",
            "deleteExchange": "exchange ifUnused",
            "declareQueue": "queue passive durable exclusive autoDelete arguments",
            "deleteQueue": "queue ifUnused ifEmpty",
            "purgeQueue": "queue",
            "bindQueue": "queue exchange routingKey arguments",
            "unbindQueue": "queue exchange routingKey arguments",
        }.items()
    },
    **{
        f"nta.utils.message_bus_connector:MessageBusConnector.{method}": arguments
        for method, arguments in {
            "createMessageQueue": "mqName durable",
            "deleteMessageQueue": "mqName",
            "purge": "mqName",
            "isEmpty": "mqName",
            "isMessageQeueuePresent": "mqName",
            "getAllMessageQueues": "",
            "publish": "mqName body persistent",
            "publishExg": "exchange routingKey body properties mandatory",
            "consume": "mqName blocking",
            "close": "",
        }.items()
    },
    "nta.utils.logging_support_raw:setLogDir": "absDir",
    "nta.utils.logging_support_raw:LoggingSupport.initLogging": "loggingLevel console logToFile",
    "nta.utils.logging_support_raw:LoggingSupport.getLoggingRootDir": "",
    "nta.utils.logging_support_raw:LoggingSupport.getApplicationLogFilePath": "",
    "nta.utils.extended_logger:ExtendedLogger.getExtendedLogger": "name",
    "nta.utils.extended_logger:ExtendedLogger.setLogPrefix": "prefix",
    "nta.utils.error_handling:logExceptions": "logger",
    "nta.utils.error_handling:abortProgramOnAnyException": "exitCode logger",
    "nta.utils.error_handling:retry": "timeoutSec initialRetryDelaySec maxRetryDelaySec retryExceptions retryFilter "
    "logger clientLabel",
    "nta.utils.date_time_utils:epochFromNaiveUTCDatetime": "dt",
    "nta.utils.date_time_utils:epochFromLocalizedDatetime": "dt",
    "nta.utils.file_lock:SharedFileLock": "file",
    "nta.utils.file_lock:ExclusiveFileLock": "file",
    "nta.utils.threading_utils:ThreadsafeCounter": "initialValue",
    "nta.utils.threading_utils:ThreadsafeCounter.adjust": "n",
    "nta.utils.prompt_utils:promptWithTimeout": "promptText timeout",
    "nta.utils.supervisor_utils:SupervisorClient": "serverUrl",
    "nta.utils.sqlalchemy_utils:retryOnTransientErrors": "function",
    "nta.utils.sqlalchemy_utils:compileMysqlQuery": "query",
}

NAMES = {
    "htmengine": "__version__ distribution HTMENGINE_HOME",
    "htmengine.model_swapper.model_swapper_interface": "ModelNotFound",
    "htmengine.runtime.scalar_metric_utils": "MODEL_CREATION_RECORD_THRESHOLD",
    "htmengine.runtime.metric_streamer_util": "MODEL_CREATION_RECORD_THRESHOLD",
    "nta.utils": "CONF_DIR",
    "nta.utils.amqp": "connection constants consumer exceptions messages queue synchronous_amqp_client",
    "nta.utils.amqp.consumer": "Consumer",
    "nta.utils.amqp.exceptions": "AmqpChannelError AmqpConnectionError UnroutableError NackError",
    "nta.utils.amqp.messages": "PolledMessage ReturnedMessage",
    "nta.utils.file_lock": "FileLockAcquireException FileLockReleaseException",
    "nta.utils.message_bus_connector": "ConsumerCancelled MessageBusConnectorError MessageProperties MessageQueueNotFound",
    "nta.utils.prompt_utils": "PromptTimeout",
}


def resolve(path: str):
    module, _, names = path.partition(":")
    found = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("path", SIGNATURES)
def test_a_documented_callable_takes_the_documented_arguments(path):
    parameters = list(inspect.signature(resolve(path)).parameters.values())
    positional = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    ]
    documented = SIGNATURES[path].split()
    assert positional[: len(documented)] == documented
    extra = [parameter for parameter in parameters if parameter.name not in (*documented, "self")]
    assert all(parameter.default is not parameter.empty for parameter in extra), f"{extra} must be given"


@pytest.mark.parametrize("module", NAMES)
def test_a_documented_module_has_the_documented_names(module):
    found = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


def test_errors_are_of_the_documented_kinds():
    assert issubclass(exceptions.ApplicationNotConfiguredError, KeyError)
    for name in ("MetricAlreadyExists", "MetricAlreadyMonitored"):
        error = getattr(exceptions, name)
        assert issubclass(error, exceptions.ObjectAlreadyExistsBase)
        assert error("there", uid="1f").uid == "1f"
    for name in [
        "ObjectNotFoundError",
        "ApplicationNotConfiguredError",
        "ObjectAlreadyExistsBase",
        "MetricNotMonitoredError",
        "MetricNotSupportedError",
        "MetricNotActiveError",
        "MetricStatisticsNotReadyError",
        "MetricStatusChangedError",
        "DuplicateRecordError",
    ]:
        assert issubclass(getattr(exceptions, name), exceptions.HTMEngineError)


def test_numbers_are_the_documented_ones():
    assert {name: getattr(htmengineerrno, name) for name in dir(htmengineerrno) if name.isupper()} == {
        "SUCCESS": 0,
        "ERR": 1,
        "ERR_MODEL_ALREADY_EXISTS": 2,
        "ERR_NO_SUCH_MODEL": 3,
        "ERR_INVALID_ARG": 4,
    }
    assert {status.name: status.value for status in MetricStatus} == {
        "UNMONITORED": 0,
        "ACTIVE": 1,
        "CREATE_PENDING": 2,
        "ERROR": 4,
        "PENDING_DATA": 8,
    }
    lock = OperationLock.METRICS
    assert (lock.value if isinstance(lock, enum.Enum) else lock) == "metrics"
    constants = importlib.import_module("nta.utils.amqp.constants")
    assert constants.AMQPDeliveryModes.NON_PERSISTENT_MESSAGE == 1
    assert constants.AMQPDeliveryModes.PERSISTENT_MESSAGE == 2
    assert constants.AMQPErrorCodes.NOT_FOUND == 404


def test_the_tables_have_the_documented_columns():
    documented = {
        "instance_status_history": "server timestamp status",
        "lock": "name",
        "metric": "uid datasource name description server location parameters status message collector_error "
        "last_timestamp poll_interval tag_name model_params last_rowid",
        "metric_data": "uid rowid timestamp metric_value raw_anomaly_score anomaly_score display_value "
        "multi_step_best_predictions",
    }
    for name, columns in documented.items():
        table = getattr(schema, name)
        assert table.name == name
        assert [column for column in columns.split() if column not in table.c] == []


# -- The documented JSON schemas.


def described(schema_file: str) -> dict:
    path = Path(htmengine.__file__).parent / schema_file
    return json.loads(path.read_text(encoding="utf-8"))


RESULTS = "runtime/json_schema/model_inference_results_msg_schema.json"
COMMAND = "runtime/json_schema/model_command_result_amqp_message.json"
SPEC = "adapters/datasource/json_schema/model_spec_schema.json"
METRIC = "adapters/datasource/json_schema/custom_metric_spec_schema.json"


@pytest.mark.parametrize("predictions", [None, {"1": 2.5}])
def test_published_scores_fit_their_schema(predictions):
    message = messages.Results(
        metric=messages.ResultMetric(
            uid="1f",
            name="m",
            description=None,
            resource="host",
            location="",
            datasource="custom",
            spec={"metric": "m"},
        ),
        results=[
            messages.ResultRow(
                rowid=1,
                ts=1_386_201_600,
                value=5.0,
                raw_anomaly=1.0,
                anomaly=0.5,
                multi_step_best_predictions=predictions,
            )
        ],
    )
    published = msgspec.json.decode(msgspec.json.encode(message))
    validate(published, described(RESULTS))
    published["results"][0]["more"] = 1
    with pytest.raises(ValueError, match="more"):
        validate(published, described(RESULTS))


def test_published_command_results_fit_their_schema():
    result = messages.PublishedCommandResult(
        method="defineModel",
        model_id="1f",
        command_id="c",
        status=0,
        error_message=None,
        model_info=messages.ModelInfo(metric_name="m", resource="host", model_spec={"datasource": "custom"}),
    )
    validate(msgspec.json.decode(msgspec.json.encode(result)), described(COMMAND))
    failed = msgspec.structs.replace(result, status=1, error_message="why", model_info=None)
    validate(msgspec.json.decode(msgspec.json.encode(failed)), described(COMMAND))
    cloned = msgspec.structs.replace(result, method="cloneModel")
    with pytest.raises(ValueError, match="method"):
        validate(msgspec.json.decode(msgspec.json.encode(cloned)), described(COMMAND))


def test_specifications_fit_their_schemas():
    spec = {
        "datasource": "custom",
        "metricSpec": {"metric": "m", "unit": "Percent", "resource": "host", "userInfo": {"symbol": "A"}},
        "modelParams": {"min": 0, "max": 100, "minResolution": 0.1, "enableClassifier": True},
    }
    validate(spec, described(SPEC))
    validate(spec["metricSpec"], described(METRIC))
    with pytest.raises(ValueError, match="metric"):
        validate({"unit": "Percent"}, described(METRIC))
    with pytest.raises(ValueError, match="maximum"):
        validate({**spec, "modelParams": {"maximum": 1}}, described(SPEC))
