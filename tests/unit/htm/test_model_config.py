"""Model descriptions of NuPIC become parameters and come back."""

import copy
import json

import msgspec
import pytest

from htmengine.htm import params
from htmengine.htm.model import Model

INFERENCE_ARGS = {"predictionSteps": [1], "predictedField": "c1", "inputPredictedField": "auto"}


def original_description():
    """What the original engine derived for a metric from 0 to 114."""
    return {
        "aggregationInfo": {"seconds": 0, "fields": [], "days": 0},
        "model": "CLA",
        "version": 1,
        "predictAheadTime": None,
        "modelParams": {
            "inferenceType": "TemporalAnomaly",
            "sensorParams": {
                "verbosity": 0,
                "sensorAutoReset": None,
                "encoders": {
                    "c0_timeOfDay": {
                        "fieldname": "c0",
                        "name": "c0",
                        "type": "DateEncoder",
                        "timeOfDay": [21, 9.4912233474773693],
                    },
                    "c0_dayOfWeek": None,
                    "c0_weekend": None,
                    "c1": {
                        "fieldname": "c1",
                        "name": "c1",
                        "type": "RandomDistributedScalarEncoder",
                        "seed": 42,
                        "resolution": 1.0,
                    },
                },
            },
            "spEnable": True,
            "spParams": {
                "spVerbosity": 0,
                "spatialImp": "cpp",
                "columnCount": 2048,
                "numActiveColumnsPerInhArea": 40,
                "globalInhibition": 1,
                "inputWidth": 0,
                "seed": 1956,
                "potentialPct": 0.8,
                "synPermConnected": 0.1,
                "synPermActiveInc": 0.0015,
                "synPermInactiveDec": 0.0005,
                "maxBoost": 1.0,
            },
            "tpEnable": True,
            "tpParams": {
                "verbosity": 0,
                "temporalImp": "cpp",
                "columnCount": 2048,
                "cellsPerColumn": 32,
                "inputWidth": 2048,
                "activationThreshold": 13,
                "minThreshold": 10,
                "newSynapseCount": 20,
                "maxSegmentsPerCell": 128,
                "maxSynapsesPerSegment": 32,
                "initialPerm": 0.21,
                "permanenceInc": 0.1,
                "permanenceDec": 0.1,
                "globalDecay": 0.0,
                "maxAge": 0,
                "outputType": "normal",
                "pamLength": 3,
                "seed": 1960,
            },
            "clEnable": False,
            "clParams": {"regionName": "CLAClassifierRegion", "clVerbosity": 0, "alpha": 0.035828933612157998, "steps": "1"},
            "anomalyParams": {"anomalyCacheRecords": None, "autoDetectThreshold": None, "autoDetectWaitRecords": 5030},
            "trainSPNetOnlyIfRequested": False,
        },
    }  # fmt: skip


def converted(description, inference_args=INFERENCE_ARGS):
    return params.from_model_config(description, inference_args, value_field="c1", timestamp_field="c0")


def changed(path, value):
    """The original description with one value replaced."""
    description = copy.deepcopy(original_description())
    *parents, key = path.split(".")
    place = description
    for parent in parents:
        place = place[parent]
    place[key] = value
    return description


def test_what_the_original_engine_derived_is_the_set_of_that_name():
    found = converted(original_description())
    expected = params.parameter_set("nupic-0.3", minimum=0.0, maximum=114.0)
    assert found == msgspec.structs.replace(expected, name="custom")
    assert Model(found).score_one(0.0, 1.0).raw_anomaly_score == 1.0


@pytest.mark.parametrize("name", ["nupic", "nupic-tm", "nupic-0.3"])
@pytest.mark.parametrize("classifier", [None, params.Classifier(steps=(1, 5), alpha=0.01)])
def test_a_set_survives_its_description_in_json(name, classifier):
    parameters = params.parameter_set(name, minimum=-3.0, maximum=100.0, seed=7)
    parameters = msgspec.structs.replace(parameters, name="custom", classifier=classifier)
    described = json.loads(json.dumps(params.to_model_config(parameters)))
    assert converted(*described) == parameters


def test_every_encoder_survives_its_description():
    parameters = msgspec.structs.replace(
        params.parameter_set("nupic", minimum=0.0, maximum=1.0),
        name="custom",
        encoders={
            "a": params.DateEncoder(
                season=(3, 91.5),
                day_of_week=(5, 2.0),
                weekend=(7, 1.0),
                holiday=(9, 1.0),
                time_of_day=(21, 4.0),
                custom_days=(3, 1.0),
                custom_weekdays=(0, 4),
                holidays=((0, 12, 25), (2026, 1, 1)),
            ),
            "b": params.ScalarEncoder(minimum=0.0, maximum=10.0, n=100, clip=True, periodic=False),
            "c": params.AdaptiveScalarEncoder(n=200),
            "d": params.DeltaEncoder(minimum=-1.0, maximum=1.0),
            "e": params.RandomDistributedScalarEncoder(resolution=0.5, offset=3.0, seed=9),
        },
    )
    described = params.to_model_config(parameters, value_field="v", timestamp_field="t")
    found = params.from_model_config(*described, value_field="v", timestamp_field="t")
    assert found == parameters
    Model(found).score_one(0.0, 1.0)


def test_the_plain_memory_and_the_classifier_are_found_under_either_prefix():
    description = original_description()
    modern = description["modelParams"]
    modern["tmParams"] = modern.pop("tpParams") | {
        "temporalImp": "tm_cpp",
        "predictedSegmentDecrement": 0.002,
    }
    modern["tmEnable"] = modern.pop("tpEnable")
    modern["clEnable"] = True
    modern["clParams"]["steps"] = "5, 1"
    found = converted(description, INFERENCE_ARGS | {"predictionSteps": [5]})
    assert found.memory == params.TemporalMemory(
        activation_threshold=13,
        min_threshold=10,
        initial_permanence=0.21,
        permanence_increment=0.1,
        permanence_decrement=0.1,
        new_synapse_count=20,
        max_synapses_per_segment=32,
        predicted_segment_decrement=0.002,
    )
    assert found.classifier == params.Classifier(steps=(1, 5))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model", "TwoGram", r"modelConfig\.model = 'TwoGram'"),
        ("colour", "red", r"modelConfig\.colour = 'red' is not supported"),
        ("aggregationInfo.hours", 1, r"aggregationInfo\.hours = 1"),
        ("modelParams", 5, r"modelConfig\.modelParams = 5 is not an object"),
        ("modelParams.inferenceType", "TemporalMultiStep", r"modelParams\.inferenceType = 'TemporalMultiStep'"),
        ("modelParams.spEnable", False, r"modelParams\.spEnable = False"),
        ("modelParams.spParams.globalInhibition", 0, r"spParams\.globalInhibition = 0"),
        ("modelParams.spParams.maxBoost", 2.0, r"spParams\.maxBoost = 2\.0"),
        ("modelParams.spParams.columnCount", "many", r"spParams\.columnCount = 'many'"),
        ("modelParams.spParams.columnCount", 20.5, r"spParams: Expected `int`.*columnCount"),
        ("modelParams.spParams.potentialPct", None, r"spParams\.potentialPct is missing"),
        ("modelParams.tpParams.temporalImp", "extended", r"tpParams\.temporalImp = 'extended'"),
        ("modelParams.tpParams.columnCount", 1024, r"tpParams\.columnCount = 1024"),
        ("modelParams.tpParams.globalDecay", 0.1, r"tpParams\.globalDecay = 0\.1"),
        ("modelParams.tpParams.outputType", "activeState1CellPerCol", r"tpParams\.outputType"),
        ("modelParams.tpParams.magic", 1, r"tpParams\.magic = 1 is not supported"),
        ("modelParams.sensorParams.sensorAutoReset", {"days": 1}, r"sensorParams\.sensorAutoReset"),
        ("modelParams.sensorParams.encoders.c1.type", "CategoryEncoder", r"encoders\.c1\.type = 'CategoryEncoder'"),
        ("modelParams.sensorParams.encoders.c1.fieldname", "c2", r"encoders\.c1\.fieldname = 'c2'"),
        ("modelParams.sensorParams.encoders.c1.resolution", None, r"encoders\.c1: .*resolution"),
        ("modelParams.sensorParams.encoders.c1", None, r"encoders: no encoder takes the value field 'c1'"),
        ("modelParams.sensorParams.encoders.c0_timeOfDay.timeOfDay", [21], r"c0_timeOfDay\.timeOfDay = \[21\]"),
        ("modelParams.sensorParams.encoders.c0_timeOfDay.holidays", [12], r"c0_timeOfDay\.holidays = 12"),
        ("modelParams.sensorParams.encoders.c0_timeOfDay.customDays", [3, ["someday"]], r"\.customDays"),
        ("modelParams.clParams.steps", "1,x", r"clParams\.steps = '1,x'"),
        ("modelParams.clParams.steps", "0", r"clParams\.steps = '0'"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(path, value, message):
    with pytest.raises(ValueError, match=message):
        converted(changed(path, value))


@pytest.mark.parametrize(
    ("inference_args", "message"),
    [
        ({"predictedField": "c2"}, r"inferenceArgs\.predictedField = 'c2'"),
        ({"predictionSteps": 1}, r"inferenceArgs\.predictionSteps = 1"),
        ({"predictionSteps": [2]}, r"inferenceArgs\.predictionSteps = \[2\].*\[1\]"),
        ({"mood": "good"}, r"inferenceArgs\.mood"),
    ],
)
def test_inference_that_does_not_fit_is_named(inference_args, message):
    with pytest.raises(ValueError, match=message):
        converted(changed("modelParams.clEnable", True), INFERENCE_ARGS | inference_args)


def test_the_default_set_has_no_description():
    with pytest.raises(ValueError, match="default has no model description"):
        params.to_model_config(params.parameter_set("default"))
