"""Operations metrics with known events: what the Numenta Anomaly Benchmark does not see.

    python -m benchmarks.ops --params default --series 40 --seed 1 --json
    python -m benchmarks.ops --detector range-rule --series 40 --seed 1 --json
    python -m benchmarks.ops --params default --data DIR --json

Windows of hundreds of records forgive a detector that is late and blurs; an incident page does not. Here an event is
found when a score passes the threshold within 7 samples of its start. `scoring` defines the measure, `signals` the
families of metrics, `events` what happens to them, `generator` draws a labelled series, `report` puts the numbers of
a detector together.

The generated series are draws from wide distributions that were chosen by what such metrics look like. They are no
substitute for recorded incidents: compare detectors on them, do not read the numbers as what any installation would see.
`recorded` reads a folder of series that people labelled, and has a measure of its own.
"""
