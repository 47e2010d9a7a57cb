"""Model descriptions of NuPIC, ``modelConfig`` and ``inferenceArgs``, to parameters and back.

The original engine took such a description from its users (``completeModelParams``) and kept one with every metric.
Nothing in it is overlooked: a key that this engine does not know, or a value that would change what the model does
in a way that it cannot follow, is an error that names the key. Keys that only concern output on a terminal, caches or
which implementation runs are taken and dropped.

References
----------
Contract, sections 5 and 6.2; reference "HTM scalar anomaly models", section 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from htmengine.htm.params.base import (
    Classifier,
    Parameters,
)
from htmengine.htm.params.description import Section
from htmengine.htm.params.nupic_models import (
    ENGINE_LIKELIHOOD,
    AdaptiveScalarEncoder,
    BacktrackingTemporalMemory,
    DateEncoder,
    DeltaEncoder,
    Encoder,
    NupicParameters,
    RandomDistributedScalarEncoder,
    ScalarEncoder,
    SpatialPooler,
    TemporalMemory,
)

# By our name of a parameter, NuPIC's.
_POOLER: Final = {
    "columns": "columnCount",
    "active_columns": "numActiveColumnsPerInhArea",
    "potential_pct": "potentialPct",
    "connected_permanence": "synPermConnected",
    "active_increment": "synPermActiveInc",
    "inactive_decrement": "synPermInactiveDec",
    "seed": "seed",
}
_POOLER_OPTIONAL: Final = {
    "boost_strength": "boostStrength",
    "duty_cycle_period": "dutyCyclePeriod",
    "min_overlap_duty": "minPctOverlapDutyCycle",
}
_MEMORY: Final = {
    "cells_per_column": "cellsPerColumn",
    "activation_threshold": "activationThreshold",
    "min_threshold": "minThreshold",
    "initial_permanence": "initialPerm",
    "permanence_increment": "permanenceInc",
    "permanence_decrement": "permanenceDec",
    "new_synapse_count": "newSynapseCount",
    "max_segments_per_cell": "maxSegmentsPerCell",
    "max_synapses_per_segment": "maxSynapsesPerSegment",
    "seed": "seed",
}
_PLAIN_OPTIONAL: Final = {
    "connected_permanence": "connectedPerm",
    "predicted_segment_decrement": "predictedSegmentDecrement",
}
_BACKTRACKING_OPTIONAL: Final = {
    "connected_permanence": "connectedPerm",
    "pam_length": "pamLength",
    "max_sequence_length": "maxSeqLength",
    "max_inference_backtrack": "maxInfBacktrack",
    "max_learning_backtrack": "maxLrnBacktrack",
}
_DATE_PARTS: Final = {
    "season": "season",
    "day_of_week": "dayOfWeek",
    "weekend": "weekend",
    "holiday": "holiday",
    "time_of_day": "timeOfDay",
}
_RDSE: Final = {"resolution": "resolution", "w": "w", "n": "n", "seed": "seed", "offset": "offset"}
_RANGE: Final = {"w": "w", "n": "n", "minimum": "minval", "maximum": "maxval"}
_SCALAR: Final = _RANGE | {
    "periodic": "periodic",
    "clip": "clipInput",
    "radius": "radius",
    "resolution": "resolution",
}
_ENCODERS: Final[dict[str, tuple[type[Encoder], dict[str, str]]]] = {
    "RandomDistributedScalarEncoder": (RandomDistributedScalarEncoder, _RDSE),
    "ScalarEncoder": (ScalarEncoder, _SCALAR),
    "AdaptiveScalarEncoder": (AdaptiveScalarEncoder, _RANGE),
    "DeltaEncoder": (DeltaEncoder, _RANGE),
}
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def from_model_config(
    model_config: Mapping[str, Any],
    inference_args: Mapping[str, Any],
    *,
    value_field: str,
    timestamp_field: str,
) -> Parameters:
    """Return the parameters that a model description of NuPIC stands for.

    Parameters
    ----------
    model_config : ``modelConfig``: the model's parts and their parameters, as decoded JSON.
    inference_args : ``inferenceArgs``: what is predicted, and how many steps ahead.
    value_field, timestamp_field : names of the fields in the description; encoders are told apart by them.

    Returns
    -------
    Parameters named ``custom``, with the original engine's likelihood. Predictions, where ``clEnable`` asks for them,
    are those of NuPIC's SDR classifier, whichever classifier is named.

    Raises
    ------
    ValueError : a key is missing, has a value of the wrong kind or asks for something that is not supported; the
        message names it.
    """
    config = Section("modelConfig", model_config)
    config.expect("model", "HTMPrediction", "CLA")
    config.expect("version", 1, optional=True)
    config.expect("predictAheadTime", None, optional=True)
    aggregation = config.section("aggregationInfo", optional=True)
    for key in aggregation:
        aggregation.expect(key, 0, [], None)
    params = config.section("modelParams")
    config.finish()

    params.expect("inferenceType", "TemporalAnomaly")
    params.expect("spEnable", True, optional=True)
    params.expect("trainSPNetOnlyIfRequested", False, optional=True)
    params.drop("anomalyParams")
    sensor = params.section("sensorParams")
    sensor.drop("verbosity")
    sensor.expect("sensorAutoReset", None, optional=True)
    encoders = _encoders(sensor.section("encoders"), value_field, timestamp_field)
    sensor.finish()
    pooler = _pooler(params.section("spParams"))
    prefix = "tp" if "tpParams" in params else "tm"
    params.expect(f"{prefix}Enable", True, optional=True)
    memory = _memory(params.section(f"{prefix}Params"), columns=pooler.columns)
    classifier = _classifier(params, Section("inferenceArgs", inference_args), value_field)
    params.finish()
    return NupicParameters(
        name="custom",
        encoders=encoders,
        pooler=pooler,
        memory=memory,
        likelihood=ENGINE_LIKELIHOOD,
        classifier=classifier,
    )


def _encoders(section: Section, value_field: str, timestamp_field: str) -> dict[str, Encoder]:
    found: dict[str, Encoder] = {}
    has_value = False
    for key in section:
        if section.take(key, None, object) is None:  # a place that NuPIC leaves to be filled
            continue
        encoder = section.section(key)
        kind = encoder.expect("type", "DateEncoder", *_ENCODERS)
        encoder.drop("name", "verbosity", "forced")
        encoder.expect("classifierOnly", False, optional=True)
        if kind == "DateEncoder":
            encoder.expect("fieldname", timestamp_field)
            found[key] = _date_encoder(encoder)
        else:
            encoder.expect("fieldname", value_field)
            has_value = True
            found[key] = _value_encoder(encoder, kind)
        encoder.finish()
    if not has_value:
        raise ValueError(f"{section.path}: no encoder takes the value field {value_field!r}")
    return found


def _date_encoder(section: Section) -> DateEncoder:
    defaults = DateEncoder()
    parts: dict[str, Any] = {}
    for name, key in _DATE_PARTS.items():
        given = section.take(key, None, int | list | tuple)
        if given is not None:
            parts[name] = section.width_and_radius(key, given, getattr(defaults, name)[1])
    days = section.take("customDays", None, list | tuple)
    if days is not None:
        parts["custom_days"], parts["custom_weekdays"] = _custom_days(section, days)
    holidays = section.take("holidays", None, list | tuple)
    if holidays is not None:
        parts["holidays"] = tuple(_holiday(section, day) for day in holidays)
    return DateEncoder(**parts)


def _holiday(section: Section, given: Any) -> tuple[int, int, int]:
    if (
        isinstance(given, list | tuple)
        and len(given) in (2, 3)
        and all(isinstance(part, int) for part in given)
    ):
        year, month, day = (0, *given) if len(given) == 2 else given
        return year, month, day
    raise section.fault("holidays", given, "give (month, day) or (year, month, day) of each")


def _custom_days(section: Section, given: Any) -> tuple[tuple[int, float], tuple[int, ...]]:
    try:
        width, names = given
        listed = [names] if isinstance(names, str) else list(names)
        weekdays = [
            next(i for i, day in enumerate(_WEEKDAYS) if name.lower() in (day, day[:3])) for name in listed
        ]
        return (int(width), 1.0), tuple(sorted(set(weekdays)))
    except (TypeError, ValueError, AttributeError, StopIteration):
        raise section.fault("customDays", given, "give a width and names of days of the week") from None


def _value_encoder(section: Section, kind: str) -> Encoder:
    encoder, names = _ENCODERS[kind]
    if encoder is RandomDistributedScalarEncoder:
        section.drop("numBuckets")  # from which the resolution was derived
    elif encoder is not ScalarEncoder:
        section.expect("clipInput", True, False, optional=True)
    return section.build(encoder, optional=names)


def _pooler(section: Section) -> SpatialPooler:
    section.drop("spVerbosity", "spatialImp", "inputWidth")
    section.expect("globalInhibition", True, 1)
    section.expect("maxBoost", 1, optional=True)
    section.expect("stimulusThreshold", 0, optional=True)
    section.expect("localAreaDensity", -1, optional=True)
    section.expect("potentialRadius", 0, None, optional=True)
    section.expect("wrapAround", True, optional=True)
    pooler = section.build(SpatialPooler, required=_POOLER, optional=_POOLER_OPTIONAL)
    section.finish()
    return pooler


def _memory(section: Section, *, columns: int) -> TemporalMemory | BacktrackingTemporalMemory:
    kind = section.expect("temporalImp", "cpp", "py", "tm_cpp", "tm_py")
    section.drop("verbosity", "inputWidth", "burnIn", "collectStats", "computePredictedActiveCellIndices")
    section.expect("columnCount", columns)
    section.expect("globalDecay", 0, optional=True)
    section.expect("maxAge", 0, optional=True)
    section.expect(
        "outputType", "normal", "activeState" if kind.startswith("tm_") else "normal", optional=True
    )
    section.expect("doPooling", False, optional=True)
    section.expect("permanenceMax", 1, optional=True)
    section.drop("segUpdateValidDuration")  # without pooling always 1
    memory: TemporalMemory | BacktrackingTemporalMemory
    if kind.startswith("tm_"):
        section.drop("pamLength")
        memory = section.build(TemporalMemory, required=_MEMORY, optional=_PLAIN_OPTIONAL)
    else:
        memory = section.build(BacktrackingTemporalMemory, required=_MEMORY, optional=_BACKTRACKING_OPTIONAL)
    section.finish()
    return memory


def _classifier(params: Section, inference: Section, value_field: str) -> Classifier | None:
    inference.expect("predictedField", value_field, optional=True)
    inference.drop("inputPredictedField")
    asked = inference.take("predictionSteps", (), list | tuple)
    inference.finish()
    enabled = params.expect("clEnable", True, False, optional=True)
    section = params.section("clParams", optional=True)
    section.drop("regionName", "implementation", "verbosity", "clVerbosity", "maxCategoryCount")
    steps = section.steps("steps", default=tuple(asked) or (1,))
    alpha = section.take("alpha", Classifier().alpha, float | int)
    section.finish()
    if not enabled:
        return None
    if not set(asked) <= set(steps):
        raise inference.fault("predictionSteps", asked, f"the classifier's steps are {list(steps)}")
    return Classifier(steps=steps, alpha=float(alpha))


def to_model_config(
    parameters: Parameters, *, value_field: str = "c1", timestamp_field: str = "c0"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the description of NuPIC, (``modelConfig``, ``inferenceArgs``), of a ``nupic`` parameter set, as plain JSON.

    The inverse of `from_model_config`, but for the name and the likelihood, which no description holds. The names of
    the fields are by default those that the original engine used.

    Raises
    ------
    ValueError : the parameters are not those of a model of NuPIC, which alone has such a description.
    """
    if not isinstance(parameters, NupicParameters):
        raise ValueError(
            f"the parameter set {parameters.name} has no model description: only models of NuPIC have one"
        )
    plain = isinstance(parameters.memory, TemporalMemory)
    classifier = parameters.classifier or Classifier()
    params = {
        "inferenceType": "TemporalAnomaly",
        "sensorParams": {
            "encoders": {
                name: _encoder_description(encoder, value_field, timestamp_field)
                for name, encoder in sorted(parameters.encoders.items())
            },
            "sensorAutoReset": None,
            "verbosity": 0,
        },
        "spEnable": True,
        "spParams": {"spatialImp": "cpp", "spVerbosity": 0, "globalInhibition": 1, "inputWidth": 0}
        | _described(parameters.pooler, _POOLER | _POOLER_OPTIONAL),
        "tmEnable": True,
        "tmParams": {
            "temporalImp": "tm_cpp" if plain else "cpp",
            "verbosity": 0,
            "columnCount": parameters.pooler.columns,
            "inputWidth": parameters.pooler.columns,
            "globalDecay": 0.0,
            "maxAge": 0,
            "outputType": "normal",
        }
        | _described(parameters.memory, _MEMORY | (_PLAIN_OPTIONAL if plain else _BACKTRACKING_OPTIONAL)),
        "clEnable": parameters.classifier is not None,
        "clParams": {
            "regionName": "SDRClassifierRegion",
            "implementation": "cpp",
            "verbosity": 0,
            "steps": ",".join(map(str, classifier.steps)),
            "alpha": classifier.alpha,
        },
        "trainSPNetOnlyIfRequested": False,
    }
    model_config = {"model": "HTMPrediction", "version": 1, "predictAheadTime": None, "modelParams": params}
    inference_args = {
        "predictionSteps": list(classifier.steps),
        "predictedField": value_field,
        "inputPredictedField": "auto",
    }
    return model_config, inference_args


def _described(part: Any, names: Mapping[str, str]) -> dict[str, Any]:
    return {key: getattr(part, name) for name, key in names.items()}


def _encoder_description(encoder: Encoder, value_field: str, timestamp_field: str) -> dict[str, Any]:
    if isinstance(encoder, DateEncoder):
        parts = {
            key: list(getattr(encoder, part))
            for part, key in _DATE_PARTS.items()
            if getattr(encoder, part)[0]
        }
        if encoder.custom_days[0]:
            parts["customDays"] = [
                encoder.custom_days[0],
                [_WEEKDAYS[day] for day in encoder.custom_weekdays],
            ]
        if encoder.holiday[0]:
            parts["holidays"] = [list(day) if day[0] else list(day[1:]) for day in encoder.holidays]
        return {"type": "DateEncoder", "fieldname": timestamp_field, "name": timestamp_field} | parts
    kind = type(encoder).__name__
    given = {
        key: value for key, value in _described(encoder, _ENCODERS[kind][1]).items() if value is not None
    }
    return {"type": kind, "fieldname": value_field, "name": value_field} | given
