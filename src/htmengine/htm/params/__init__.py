"""Typed parameter sets of the models: by name, from a metric's range, or from a model description of NuPIC."""

from htmengine.htm.params.base import (
    DEFAULT_SEED,
    MAX_MAGNITUDE,
    Classifier,
    Likelihood,
    Parameters,
)
from htmengine.htm.params.default_parts import (
    Channel,
    HashEncoder,
    Novelty,
    TransitionMemory,
)
from htmengine.htm.params.default_v1 import DefaultParametersV1
from htmengine.htm.params.default_v2 import (
    Combination,
    DefaultParameters,
    ValueResolution,
)
from htmengine.htm.params.model_config import from_model_config, to_model_config
from htmengine.htm.params.nupic_models import (
    ENGINE_LIKELIHOOD,
    POOLER,
    STREAMING_LIKELIHOOD,
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
    nupic,
    nupic_0_3,
)
from htmengine.htm.params.presets import (
    NAMES,
    parameter_set,
)
from htmengine.htm.params.value_range import (
    ROWS_FOR_RANGE,
    infer_range,
    widened,
)
from htmengine.htm.params.versions import from_json, from_short_form, to_short_form

__all__ = [
    "DEFAULT_SEED",
    "ENGINE_LIKELIHOOD",
    "MAX_MAGNITUDE",
    "NAMES",
    "POOLER",
    "ROWS_FOR_RANGE",
    "STREAMING_LIKELIHOOD",
    "AdaptiveScalarEncoder",
    "BacktrackingTemporalMemory",
    "Channel",
    "Classifier",
    "Combination",
    "DateEncoder",
    "DefaultParameters",
    "DefaultParametersV1",
    "DeltaEncoder",
    "Encoder",
    "HashEncoder",
    "Likelihood",
    "Novelty",
    "NupicParameters",
    "Parameters",
    "RandomDistributedScalarEncoder",
    "ScalarEncoder",
    "SpatialPooler",
    "TemporalMemory",
    "TransitionMemory",
    "ValueResolution",
    "from_json",
    "from_model_config",
    "from_short_form",
    "infer_range",
    "nupic",
    "nupic_0_3",
    "parameter_set",
    "to_model_config",
    "to_short_form",
    "widened",
]
