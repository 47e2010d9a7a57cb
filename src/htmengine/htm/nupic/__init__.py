"""The parts of NuPIC's models as separate classes: encoders, spatial pooler, temporal memories, anomaly likelihood.

The compiled kernels behind them are those of the models ``nupic`` and ``nupic-tm``. Defaults are those of NuPIC 1.0.
"""
