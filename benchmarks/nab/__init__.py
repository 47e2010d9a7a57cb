"""The Numenta Anomaly Benchmark: 58 labelled files, one threshold for all of them, three ways to weigh mistakes.

    python -m benchmarks.nab --data DIR --params default --seeds 5 --json
    python -m benchmarks.nab --data DIR --params nupic --look-ahead --range-rule --json
    python -m benchmarks.nab --data DIR --detector range-rule --json
    python -m benchmarks.nab --data DIR --params default --ablate

DIR holds `data/<category>/<file>.csv`, `combined_windows.json` and `scoring_profiles.json`. A detector is a plain
function (see `benchmarks.detectors`); to score one that has no name, give its scores to `report.evaluate`:

    series = corpus.load(folder)
    benchmark = report.Benchmark(series, corpus.load_profiles(folder))
    benchmark.evaluate([my_scores(one.timestamps, one.values) for one in series])

`corpus` reads the files, `scorer` knows the rules, `report` puts the numbers of one run together,
`ablation` compares the default model with itself, one ingredient off at a time.

References
----------
Lavin and Ahmad (2015), "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark",
arXiv:1510.03336
"""
