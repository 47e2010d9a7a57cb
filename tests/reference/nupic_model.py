"""Naive twin of the models of NuPIC, put together from the twins of their parts."""

import math

from tests.reference import backtracking_memory, date_encoder, encoders, temporal_memory
from tests.reference.classifier import NupicClassifier
from tests.reference.likelihood import Likelihood, log_likelihood
from tests.reference.likelihood import Parameters as LikelihoodParameters
from tests.reference.spatial_pooler import SpatialPooler

DATE_PARTS = "season", "day_of_week", "weekend", "custom_days", "holiday", "time_of_day"
VALUE_ENCODERS = {
    "random distributed": encoders.RandomDistributedScalarEncoder,
    "scalar": encoders.ScalarEncoder,
    "adaptive scalar": encoders.AdaptiveScalarEncoder,
    "delta": encoders.DeltaEncoder,
}


def encoder(fields):
    """Return the twin of an encoder."""
    fields = dict(fields)
    kind = fields.pop("type")
    if kind != "date":
        return VALUE_ENCODERS[kind](**fields)
    parts = {name: fields[name] for name in DATE_PARTS if fields[name][0]}
    for name, more in (("custom_days", "custom_weekdays"), ("holiday", "holidays")):
        if name in parts:
            parts[name] = (*parts[name], fields[more])
    return date_encoder.DateEncoder(**parts)


class NupicModel:
    """Built from the parameters as plain dicts."""

    def __init__(self, parameters):
        self.encoders = [encoder(fields) for _, fields in sorted(parameters["encoders"].items())]
        self.pooler = SpatialPooler(inputs=sum(e.n for e in self.encoders), **parameters["pooler"])
        memory = dict(parameters["memory"])
        kind = memory.pop("type")
        memory["columns"] = parameters["pooler"]["columns"]
        if kind == "plain":
            self.memory = temporal_memory.TemporalMemory(temporal_memory.Parameters(**memory))
        else:
            self.memory = backtracking_memory.BacktrackingTemporalMemory(
                backtracking_memory.Parameters(**memory)
            )
        self.likelihood = Likelihood(LikelihoodParameters(**parameters["likelihood"]))
        classifier = dict(parameters["classifier"])
        classifier["alpha"] = float(f"{classifier['alpha']:.6g}")
        self.classifier = NupicClassifier(**classifier)

    def score(self, timestamp, value):
        """Return the five scores and the predictions; None for a sample without a value."""
        if not math.isfinite(value):
            return None
        bits, first, bucket = [], 0, None
        for encoder in self.encoders:
            if isinstance(encoder, date_encoder.DateEncoder):
                found, _ = encoder.encode(timestamp)
            else:
                found, its_bucket = encoder.encode(value)
                bucket = its_bucket if bucket is None else bucket
            bits += [first + bit for bit in found]
            first += encoder.n
        raw = float(self.memory.compute(self.pooler.compute(bits), True))
        anomaly = self.likelihood.update(raw, value)
        log = log_likelihood(anomaly)
        backtracks = isinstance(self.memory, backtracking_memory.BacktrackingTemporalMemory)
        cells = self.memory.inf_active if backtracks else self.memory.active_cells
        predictions = [predicted for predicted, _ in self.classifier.compute(cells, bucket, value)]
        return [raw, anomaly, log, log, 0.0], predictions
