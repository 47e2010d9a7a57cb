"""The whole pipeline in one process, deterministic: one seed draws what is sent, in which order things run, and every fault.

`python -m tests.simulation --histories 1000 --seed 1` runs many histories; a seed that fails is printed and fails again.
"""
