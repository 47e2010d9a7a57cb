"""Benchmarks, each with `python -m benchmarks.NAME`; `--help` tells the options, `--json` gives one line for programs.

What a user waits for and what the engine carries:
    detect        a file through `htmengine detect`, from the start of the process to its end
    pipeline      a fleet through the whole engine: samples a second, latency, processor time by service
    fleet         a hundred thousand metrics with models that have learned, and a day of history: what a sample costs
    swap          more models than fit into memory: loads, saves, and how long samples wait for their models
    new_fleet     a fleet that nobody knows, or after a start, or with too little memory: how long it waits for scores
    chaos         the engine is killed again and again; then every row is compared with an undisturbed run

What a part costs:
    kernel        a model: time for a record, by stage; its block, and how long it takes to save and load
    sizes         a model's block on different kinds of metrics, and what is stored of it
    bus           the embedded bus: messages a second, and the way from one thread to another
    api           requests to the HTTP API beside a hundred thousand metrics: milliseconds
    render        panels of Grafana: milliseconds for a thousand metrics an hour, and one for a year
    write_back    scores written back to a real VictoriaMetrics and carbon: rows a second
    stream        readers of the results' stream: processor time of the web server, and whether all get everything
    mixed_use     an hour of everything that the page and programs do beside the engine: what memory, threads and files grow by
    doors         the doors: samples a second, by protocol
    deliveries    notices a second to several receivers, one of which may hang
    repository    the repository's statements: rows a second, by the number of rows in a statement
    blocks        older rows as compressed blocks: processor time to make and to read them, by the kernel and its twin
    charts        a year of a metric read for a chart, from rows and from blocks: processor time
    store         ways in which one machine can keep rows and scores, side by side: time, bytes written and kept, a day read

How good detection is:
    nab           the Numenta Anomaly Benchmark
    ops           operations metrics with known events: generated, or recorded and labelled
    capture       the metrics of a real machine: how often they alarm, and how soon in an incident
    node_exporter an hour of node_exporter's whole output through remote write: whether models see rates, and alarms
    behaviour     series that are awkward in one respect each
    incidents     how well alarms are put together to incidents, in generated fleets and on a real machine
    alert_budget  whether as many incidents a week are told of as a budget says
    silence       how often metrics are found silent that are not, how soon those that are, and what it costs to look
    calibration   whether scores and odds mean what they say
    predictions   how far predictions lie from what comes

The other modules are what these have in common. Results with what they were measured on: `results/`, and the pages of
`docs/` that show them.
"""
