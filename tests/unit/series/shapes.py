"""One series in the shapes in which tools write series: files made here, after what the tools print."""

import io
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

START = datetime(2024, 3, 4, tzinfo=UTC)
STEP = timedelta(minutes=15)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Point = tuple[datetime, float]
Shape = Callable[[Sequence[Point]], str]


def points(count: int = 110) -> list[Point]:
    """A day and a bit of a wave, a row every quarter of an hour."""
    return [(START + i * STEP, round(50 + 20 * math.sin(i / 40) + i % 7 * 0.3, 2)) for i in range(count)]


def epoch(moment: datetime) -> int:
    return round(moment.timestamp())


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


# -- blanks


def sar(given: Sequence[Point]) -> str:
    """`sar -u`: a banner with the day, names on every page, clocks alone, averages."""
    lines = ["Linux 6.1.0-18-amd64 (web1) \t03/04/2024 \t_x86_64_\t(4 CPU)", ""]
    names = "        CPU     %user     %nice   %system   %iowait    %steal     %idle"
    for i, (moment, value) in enumerate(given):
        if i % 20 == 0:
            lines += ["", f"{moment - STEP:%H:%M:%S}{names}"]
        lines.append(
            f"{moment:%H:%M:%S}        all {value:9.2f}      0.00      1.02      0.10      0.00 {99 - value:9.2f}"
        )
    lines.append("Average:        all      5.12      0.00      1.02      0.10      0.00     93.76")
    return joined(lines)


def sar_twelve_hours(given: Sequence[Point]) -> str:
    """The same where clocks have twelve hours."""
    lines = ["Linux 6.1.0 (web1) \t03/04/2024 \t_x86_64_\t(4 CPU)", ""]
    for i, (moment, value) in enumerate(given):
        if i % 30 == 0:
            lines += ["", f"{moment - STEP:%I:%M:%S %p}     CPU     %user     %idle"]
        lines.append(f"{moment:%I:%M:%S %p}     all {value:9.2f} {99 - value:9.2f}")
    return joined(lines)


def sadf(given: Sequence[Point]) -> str:
    """`sadf -d`: semicolons, the names in a comment."""
    lines = ["# hostname;interval;timestamp;CPU;%user;%idle"]
    lines += [
        f"web1;300;{moment:%Y-%m-%d %H:%M:%S} UTC;-1;{value:.2f};{99 - value:.2f}" for moment, value in given
    ]
    return joined(lines)


def vmstat(given: Sequence[Point]) -> str:
    """`vmstat -t 300`, whose last column of two words has the zone's name."""
    head = [
        "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu----- -----timestamp-----",
        " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st                 UTC",
    ]
    lines = []
    for i, (moment, value) in enumerate(given):
        if i % 24 == 0:
            lines += head
        lines.append(
            f" {value:.2f}  0      0 123456  12345 234567    0    0     1     2    {i % 9}    4  1  0 99  0  0 {moment:%Y-%m-%d %H:%M:%S}"
        )
    return joined(lines)


def iostat(given: Sequence[Point]) -> str:
    """`iostat -xt 300 sda`: the time stands on a line of its own, above two tables."""
    lines = ["Linux 6.1.0-18-amd64 (web1) \t03/04/24 \t_x86_64_\t(4 CPU)", ""]
    for moment, value in given:
        lines += [
            f"{moment:%m/%d/%y %H:%M:%S}",
            "avg-cpu:  %user   %nice %system %iowait  %steal   %idle",
            f"      {value:8.2f}    0.00    0.50    0.10    0.00   98.40",
            "",
            "Device            r/s     rkB/s     w/s     wkB/s  %util",
            "sda              3.40      8.05    1.30     12.70   0.14",
            "",
        ]
    return joined(lines)


def pgbench_aggregated(given: Sequence[Point]) -> str:
    """`pgbench --log --aggregate-interval`: numbers alone."""
    return joined(
        [f"{epoch(moment)} {value} {i * 37 % 1000} {i * i}" for i, (moment, value) in enumerate(given)]
    )


def two_words(given: Sequence[Point]) -> str:
    """Day and clock between blanks under two names."""
    return joined(
        ["date       time     load", *(f"{moment:%Y-%m-%d %H:%M:%S} {value}" for moment, value in given)]
    )


def logfmt(given: Sequence[Point]) -> str:
    """A line of `name=value`."""
    return joined(
        [f'ts={iso(moment)} level=info msg="done well" load={value} n=3' for moment, value in given]
    )


def access_log(given: Sequence[Point]) -> str:
    """The common log of a web server."""
    return joined(
        [
            f'10.0.0.{i % 9} - - [{moment:%d}/{MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000] "GET /a b HTTP/1.1" 200 {value}'
            for i, (moment, value) in enumerate(given)
        ]
    )


# -- JSON


def ping(given: Sequence[Point]) -> str:
    """`ping -D`: pairs among words, of which one is a running number, one a constant, and one the time of the way."""
    lines = ["PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data."]
    lines += [
        f"[{epoch(moment)}.000000] 64 bytes from 10.0.0.1: icmp_seq={i} ttl=64 time={value} ms"
        for i, (moment, value) in enumerate(given, 1)
    ]
    return joined(lines)


def free(given: Sequence[Point]) -> str:
    """`date; free` again and again: two series, of which one has a column that is the same in each row."""
    lines = []
    for moment, value in given:
        lines += [
            f"{moment:%Y-%m-%d %H:%M:%S}",
            "               total        used        free",
            f"Mem:           64000 {value:11} {64000 - value:11}",
            "Swap:              0           0           0",
            "",
        ]
    return joined(lines)


def durations(given: Sequence[Point]) -> str:
    """Durations as clocks show them, which are values where there are no others."""
    lines = ["finished,took"]
    for moment, value in given:
        lines.append(f"{iso(moment)},0:{int(value // 60):02d}:{value % 60:05.2f}")
    return joined(lines)


def unnamed_columns(given: Sequence[Point]) -> str:
    """A table without names, as pandas writes it: its columns are numbered."""
    return joined(["0,1", *(f"{epoch(moment)},{value}" for moment, value in given)])


def cloudwatch_statistics(given: Sequence[Point]) -> str:
    """`aws cloudwatch get-metric-statistics`: in no order."""
    shuffled = [given[i * 7 % len(given)] for i in range(len(given))] if len(given) % 7 else list(given)
    return json.dumps(
        {
            "Label": "CPU",
            "Datapoints": [{"Timestamp": iso(m), "Average": v, "Unit": "Percent"} for m, v in shuffled],
        },
        indent=4,
    )


def cloudwatch_data(given: Sequence[Point]) -> str:
    """`aws cloudwatch get-metric-data`: newest first, in two lists."""
    return json.dumps(
        {
            "MetricDataResults": [
                {
                    "Id": "m1",
                    "Label": "CPU",
                    "Timestamps": [m.isoformat() for m, _ in given[::-1]],
                    "Values": [v for _, v in given[::-1]],
                    "StatusCode": "Complete",
                }
            ],
            "Messages": [],
        }
    )


def prometheus(given: Sequence[Point]) -> str:
    """`/api/v1/query_range`."""
    values = [[epoch(m), str(v)] for m, v in given]
    return json.dumps(
        {
            "status": "success",
            "data": {
                "resultType": "matrix",
                "result": [{"metric": {"__name__": "up", "job": "a"}, "values": values}],
            },
        }
    )


def graphite_raw(given: Sequence[Point]) -> str:
    """`/render?format=raw`."""
    first, last = epoch(given[0][0]), epoch(given[-1][0])
    values = ",".join(str(v) for _, v in given)
    return (
        f'web.a.cpu,{first},{last + 900},900|{values}\nsummarize(b, "1h"),{first},{first + 3600},3600|None\n'
    )


def graphite(given: Sequence[Point]) -> str:
    """`/render?format=json`."""
    return json.dumps(
        [
            {
                "target": "servers.a.cpu",
                "tags": {"name": "servers.a.cpu"},
                "datapoints": [[v, epoch(m)] for m, v in given],
            }
        ]
    )


def grafana_frames(given: Sequence[Point]) -> str:
    """`/api/ds/query`: a list for each field, names apart."""
    frame = {
        "schema": {
            "refId": "A",
            "fields": [
                {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}},
                {"name": "Value", "type": "number", "labels": {"host": "a"}},
            ],
        },
        "data": {"values": [[epoch(m) * 1000 for m, _ in given], [v for _, v in given]]},
    }
    return json.dumps({"results": {"A": {"status": 200, "frames": [frame]}}})


def influxdb(given: Sequence[Point]) -> str:
    """`/query` of InfluxDB 1."""
    values = [[iso(m), v] for m, v in given]
    return json.dumps(
        {
            "results": [
                {
                    "statement_id": 0,
                    "series": [{"name": "cpu", "columns": ["time", "mean"], "values": values}],
                }
            ]
        }
    )


def opentsdb(given: Sequence[Point]) -> str:
    """`/api/query`: an object from times to values."""
    return json.dumps([{"metric": "cpu", "tags": {"host": "a"}, "dps": {str(epoch(m)): v for m, v in given}}])


def netdata(given: Sequence[Point]) -> str:
    """`/api/v1/data`."""
    return json.dumps({"labels": ["time", "user"], "data": [[epoch(m), v] for m, v in given[::-1]]})


def datadog(given: Sequence[Point]) -> str:
    """`/api/v1/query`."""
    return json.dumps(
        {
            "status": "ok",
            "series": [
                {"metric": "cpu", "scope": "*", "pointlist": [[epoch(m) * 1000.0, v] for m, v in given]}
            ],
        }
    )


def elasticsearch(given: Sequence[Point]) -> str:
    """A histogram over dates."""
    buckets = [
        {"key_as_string": iso(m), "key": epoch(m) * 1000, "doc_count": 5, "load": {"value": v}}
        for m, v in given
    ]
    return json.dumps({"took": 3, "hits": {"total": 9}, "aggregations": {"by_time": {"buckets": buckets}}})


def google_monitoring(given: Sequence[Point]) -> str:
    """`timeSeries.list`: newest first."""
    return json.dumps(
        {
            "timeSeries": [
                {
                    "metric": {"type": "compute/cpu"},
                    "points": [
                        {"interval": {"startTime": iso(m), "endTime": iso(m)}, "value": {"doubleValue": v}}
                        for m, v in given[::-1]
                    ],
                }
            ]
        }
    )


def victoriametrics(given: Sequence[Point]) -> str:
    """`/api/v1/export`: a document a line."""
    return joined(
        [
            json.dumps(
                {
                    "metric": {"__name__": "cpu", "job": "a"},
                    "values": [v for _, v in part],
                    "timestamps": [epoch(m) * 1000 for m, _ in part],
                }
            )
            for part in (given[:50], given[50:])
        ]
    )


def json_lines(given: Sequence[Point]) -> str:
    """A document a line."""
    return joined(
        [json.dumps({"@timestamp": iso(m), "host": {"name": "a"}, "load": v, "n": 3}) for m, v in given]
    )


def json_rows(given: Sequence[Point]) -> str:
    return json.dumps([{"time": iso(m), "load": v} for m, v in given], indent=2)


def pandas_split(given: Sequence[Point]) -> str:
    """`DataFrame.to_json(orient="split")`."""
    return json.dumps(
        {"columns": ["load"], "index": [epoch(m) * 1000 for m, _ in given], "data": [[v] for _, v in given]}
    )


def pandas_columns(given: Sequence[Point]) -> str:
    """`DataFrame.to_json()`."""
    return json.dumps({"load": {str(epoch(m) * 1000): v for m, v in given}})


def pandas_numbered(given: Sequence[Point]) -> str:
    """`DataFrame.to_json()` of a table with a running number as its index."""
    return json.dumps(
        {
            "time": {str(i): iso(m) for i, (m, _) in enumerate(given)},
            "load": {str(i): v for i, (_, v) in enumerate(given)},
        }
    )


def open_meteo(given: Sequence[Point]) -> str:
    """Lists beside each other, units apart."""
    return json.dumps(
        {
            "latitude": 52.5,
            "hourly_units": {"time": "iso8601", "temperature_2m": "°C"},
            "hourly": {
                "time": [f"{m:%Y-%m-%dT%H:%M}" for m, _ in given],
                "temperature_2m": [v for _, v in given],
            },
        }
    )


def azure(given: Sequence[Point]) -> str:
    """`az monitor metrics list`."""
    data = [{"timeStamp": iso(m), "average": v} for m, v in given]
    return json.dumps(
        {
            "cost": 0,
            "value": [
                {
                    "name": {"value": "Percentage CPU"},
                    "unit": "Percent",
                    "timeseries": [{"metadatavalues": [], "data": data}],
                }
            ],
        }
    )


# -- columns


def parts(given: Sequence[Point]) -> str:
    return joined(
        [
            "year,month,day,hour,minute,load",
            *(f"{m.year},{m.month},{m.day},{m.hour},{m.minute},{v}" for m, v in given),
        ]
    )


def named_month(given: Sequence[Point]) -> str:
    return joined(
        [
            "Day;Month;Year;Time;Load",
            *(f"{m.day};{MONTHS[m.month - 1]};{m.year};{m:%H:%M};{v}" for m, v in given),
        ]
    )


def digits(given: Sequence[Point]) -> str:
    """Day and clock as numbers, as exchanges write them."""
    return joined(["<DATE>,<TIME>,<CLOSE>", *(f"{m:%Y%m%d},{int(f'{m:%H%M%S}')},{v}" for m, v in given)])


def with_microseconds(given: Sequence[Point]) -> str:
    """Seconds and their fraction in two columns."""
    return joined(["time_us,load,time", *(f"0,{v},{epoch(m)}" for m, v in given)])


def performance_monitor(given: Sequence[Point]) -> str:
    """Windows' performance monitor an hour ahead of UTC."""
    ahead = timedelta(hours=1)
    return joined(
        [
            '"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)","\\\\PC1\\Processor(_Total)\\% Processor Time"',
            *(f'"{m + ahead:%m/%d/%Y %H:%M:%S}.000","{v}"' for m, v in given),
        ]
    )


def grafana_units(given: Sequence[Point]) -> str:
    """Values as a panel shows them."""
    return joined(["sep=;", '"Time";"a"', *(f"{m:%Y-%m-%d %H:%M:%S};{v} GiB" for m, v in given)])


def seconds_and_nanoseconds(given: Sequence[Point]) -> str:
    """Seconds and their fraction in two columns, as Protocol Buffers have them."""
    return joined(["seconds,nanos,load", *(f"{epoch(m)},0,{v}" for m, v in given)])


def zone_in_name(given: Sequence[Point]) -> str:
    ahead = timedelta(hours=1)
    return joined(["Time (UTC+1),load", *(f"{m + ahead:%Y-%m-%d %H:%M:%S},{v}" for m, v in given)])


def numbered_columns(given: Sequence[Point]) -> str:
    """A table of pandas: its index has no name, its columns have numbers."""
    return joined([",101,102", *(f"{m:%Y-%m-%d %H:%M:%S},{v},{v + 1}" for m, v in given)])


def parts_beside_time(given: Sequence[Point]) -> str:
    """Hour and weekday of a time stand before the value, and a status."""
    return joined(
        [
            "timestamp,hour,weekday,status,requests",
            *(
                f"{iso(m)},{m.hour},{m.weekday()},{200 if i % 9 else 500},{v}"
                for i, (m, v) in enumerate(given)
            ),
        ]
    )


def growing_counter(given: Sequence[Point]) -> str:
    return joined(
        ["time,rx_bytes,load", *(f"{iso(m)},{10**9 + i * i * 977 + i},{v}" for i, (m, v) in enumerate(given))]
    )


def often_short(given: Sequence[Point]) -> str:
    """The remark at the end of a row is mostly left out, with its delimiter."""
    return joined(
        ["time,load,note", *(f"{iso(m)},{v}{'' if i % 3 else ',ok'}" for i, (m, v) in enumerate(given))]
    )


def sar_of_processors(given: Sequence[Point]) -> str:
    """`sar -P ALL` where dates have dots: a row for all of them, and for each."""
    lines = ["Linux 6.1.0-18-amd64 (web1) \t04.03.2024 \t_x86_64_\t(2 CPU)", ""]
    for moment, value in given:
        lines += [f"{moment - STEP:%H:%M:%S}        CPU     %user     %idle"]
        lines += [
            f"{moment:%H:%M:%S}     {cpu} {value + i:9.2f} {99 - value:9.2f}"
            for i, cpu in enumerate(("all", "0", "1"))
        ]
        lines += [""]
    return joined(lines)


def pretty_documents(given: Sequence[Point]) -> str:
    """`jq '.[]'`: documents of several lines, one after the other."""
    return joined([json.dumps({"time": iso(m), "load": v}, indent=2) for m, v in given])


def json_sequence(given: Sequence[Point]) -> str:
    """RFC 7464."""
    return "".join(f"\x1e{json.dumps({'time': iso(m), 'load': v})}\n" for m, v in given)


def counter_first(given: Sequence[Point]) -> str:
    """A counter that grows as clocks do stands before the time; an id and a constant before the value."""
    return joined(
        [
            "bytes_total,server_id,limit,at,value",
            *(f"{1_500_000_000 + i * i * 977},{17},{100},{epoch(m)},{v}" for i, (m, v) in enumerate(given)),
        ]
    )


def in_apostrophes(given: Sequence[Point]) -> str:
    """Fields between apostrophes, with a comma in one of them."""
    return joined(["'time','host','load'", *(f"'{m:%Y-%m-%d %H:%M:%S}','web, one','{v}'" for m, v in given)])


def decimal_commas(given: Sequence[Point]) -> str:
    """Numbers with decimal commas between commas, without quotes."""
    return joined(["time,load", *(f"{iso(m)},{v:g}".replace(".", ",") for m, v in given)])


def decimal_commas_without_names(given: Sequence[Point]) -> str:
    """The same without a header: fractions such as `05` tell."""
    return joined([f"{iso(m)},{v:.2f}".replace(".", ",") for m, v in given])


def several_decimal_commas(given: Sequence[Point]) -> str:
    """Two such numbers in each row."""
    return joined(["time,load,twice", *(f"{iso(m)},{v:.2f},{2 * v:.2f}".replace(".", ",") for m, v in given)])


def influxdb_lines(given: Sequence[Point]) -> str:
    """InfluxDB's line protocol, in nanoseconds, with a field of text."""
    return joined(
        ["# DML", *(f'cpu,host=web1 load={v},state="up, ok" {epoch(m)}000000000' for m, v in given)]
    )


def dstat(given: Sequence[Point]) -> str:
    """`dstat --output`: lines of words above, two of names, days before months, sizes as large as times."""
    return joined(
        [
            '"pcp-dstat 5.3.7 CSV Output"',
            '"Host:","web1",,,,"User:","root"',
            '"system","total usage",,"memory usage",',
            '"time","usr","sys","used","free"',
            *(
                f"{m:%d-%m %H:%M:%S},{v},1.25,{1_500_000_000 + i * i * 977 % 10_007 * 4096},2000000000.0"
                for i, (m, v) in enumerate(given)
            ),
        ]
    )


def as_written(pattern: Callable[[datetime], str]) -> Shape:
    """A time in one column, in a format."""

    def write(given: Sequence[Point]) -> str:
        return joined(["time;load", *(f'"{pattern(m)}";{v}' for m, v in given)])

    return write


def named(moment: datetime) -> tuple[str, str]:
    return DAYS[moment.weekday()], MONTHS[moment.month - 1]


TIMES: dict[str, Callable[[datetime], str]] = {
    "US, fraction": lambda m: f"{m:%m/%d/%Y %H:%M:%S}.490",
    "US, a.m.": lambda m: f"{m:%m/%d/%Y %I:%M:%S} {'a.m.' if m.hour < 12 else 'p.m.'}",
    "US, AM of a browser": lambda m: f"{m.month}/{m.day}/{m.year}, {m:%I:%M:%S}\u202f{m:%p}",
    "US, fraction and AM": lambda m: f"{m:%m/%d/%Y %I:%M:%S}.000 {m:%p}",
    "dots in the clock": lambda m: f"{m:%d.%m.%Y %H.%M.%S}",
    "dots and slashes": lambda m: f"{m:%d/%m/%Y %H.%M}",
    "DB2": lambda m: f"{m:%Y-%m-%d-%H.%M.%S}.000000",
    "Oracle": lambda m: f"{m:%d}-{named(m)[1].upper()}-{m:%y %I.%M.%S}.000000000 {m:%p}",
    "SQL Server": lambda m: f"{named(m)[1]} {m.day:2d} {m.year} {m:%I:%M%p}",
    "JavaScript": lambda m: (
        f"{named(m)[0]} {named(m)[1]} {m:%d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)"
    ),
    "JavaScript, west": lambda m: (
        f"{named(m - timedelta(hours=5))[0]} {named(m)[1]} {m - timedelta(hours=5):%d %Y %H:%M:%S} GMT-0500 (Eastern Standard Time)"
    ),
    "JavaScript, UTC": lambda m: f"{named(m)[0]}, {m:%d} {named(m)[1]} {m:%Y %H:%M:%S} GMT",
    "Apache": lambda m: f"[{m:%d}/{named(m)[1]}/{m:%Y:%H:%M:%S} +0000]",
    "Apache, errors": lambda m: f"[{named(m)[0]} {named(m)[1]} {m:%d %H:%M:%S}.123456 {m:%Y}]",
    "Google": lambda m: f"{m:%Y-%m-%dT%H:%M:%S}.000000000Z",
    "Google, console": lambda m: f"{named(m)[1]} {m.day}, {m.year}, {m:%I:%M:%S %p}",
    "Kibana": lambda m: f"{named(m)[1]} {m.day}, {m.year} @ {m:%H:%M:%S}.000",
    "Python": lambda m: repr(m.replace(tzinfo=None)),
    "Python, aware": lambda m: str(m),
    "pandas": lambda m: f"Timestamp('{m:%Y-%m-%d %H:%M:%S}')",
    "numpy": lambda m: f"numpy.datetime64('{m:%Y-%m-%dT%H:%M:%S}')",
    ".NET": lambda m: f"/Date({epoch(m) * 1000})/",
    "week": lambda m: f"{m.isocalendar()[0]}-W{m.isocalendar()[1]:02d}-{m.isocalendar()[2]}T{m:%H:%M:%S}",
    "day of the year": lambda m: f"{m:%Y-%jT%H:%M:%S}Z",
    "hour alone in the zone": lambda m: f"{m:%Y-%m-%d %H:%M:%S} UTC+00:00",
    "asctime": lambda m: f"{named(m)[0]} {named(m)[1]} {m.day:2d} {m:%H:%M:%S %Y}",
    "milliseconds": lambda m: str(epoch(m) * 1000),
    "microseconds": lambda m: str(epoch(m) * 10**6),
    "nanoseconds": lambda m: str(epoch(m) * 10**9),
    "seconds with fraction": lambda m: f"{epoch(m)}.000",
    "exponent": lambda m: f"{epoch(m):.9e}",
    "day first": lambda m: f"{m:%d/%m/%Y %H:%M}",
    "two digits": lambda m: f"{m:%d.%m.%y %H:%M}",
    "underscore": lambda m: f"{m:%Y-%m-%d_%H:%M:%S}",
    "dash before the clock": lambda m: f"{m:%Y/%m/%d-%H:%M:%S}",
    "compact without century": lambda m: f"{m:%y%m%d%H%M%S}",
    "SAS": lambda m: f"{m:%d}{named(m)[1].upper()}{m:%Y:%H:%M:%S}.000",
    "zone in brackets": lambda m: f"{m:%Y-%m-%d %H:%M:%S} (UTC)",
    "compact": lambda m: f"{m:%Y%m%dT%H%M%SZ}",
    "colon before the fraction": lambda m: f"{m:%Y-%m-%d %H:%M:%S}:000",
    "Go": lambda m: f"{m:%Y-%m-%d %H:%M:%S}.000000000 +0000 UTC",
    "Go, with its steady clock": lambda m: (
        f"{m + timedelta(hours=1):%Y-%m-%d %H:%M:%S}.000000 +0100 CET m=+1.25"
    ),
    "o'clock": lambda m: f"{m:%d.%m.%Y %H:%M} Uhr",
    "German zone": lambda m: f"{m + timedelta(hours=1):%d.%m.%Y %H:%M:%S} MEZ",
    "region of UTC": lambda m: f"{m:%Y-%m-%d %H:%M:%S} Etc/UTC",
    "weekday before ISO": lambda m: f"{named(m)[0]} {m:%Y-%m-%d %H:%M:%S}",
    "weekday before digits": lambda m: f"{('Mo', 'Di')[m.weekday() % 2]} {m:%d.%m.%Y %H:%M}",
    "month in German": lambda m: f"{m.day}. März {m.year} {m:%H:%M}",
    "month in Spanish": lambda m: f"{m.day} de marzo de {m.year}, {m:%H:%M}",
    "Chinese": lambda m: f"{m.year}年{m.month}月{m.day}日 {m:%H:%M:%S}",
    "Chinese, clock": lambda m: f"{m.year}年{m.month:02d}月{m.day:02d}日 {m.hour}时{m.minute}分{m.second}秒",
    "name of a file": lambda m: f"{m:%Y-%m-%d_%H-%M-%S}",
    "underscores": lambda m: f"{m:%Y_%m_%d_%H_%M_%S}",
    "compact clock": lambda m: f"{m:%Y-%m-%dT%H%M%S}Z",
    "camera": lambda m: f"{m:%Y:%m:%d %H:%M:%S}",
    "slash before the clock": lambda m: f"{m:%d.%m.%Y/%H:%M:%S}",
    "week, compact": lambda m: (
        f"{m.isocalendar()[0]}W{m.isocalendar()[1]:02d}{m.isocalendar()[2]}T{m:%H%M%S}"
    ),
    "day of the year, compact": lambda m: f"{m:%Y%jT%H%M%S}",
    "day of the year, dots": lambda m: f"{m:%Y.%j.%H.%M.%S}",
    "day of the year, colons": lambda m: f"{m:%Y:%j:%H:%M:%S}",
    "milliseconds in groups": lambda m: f"{epoch(m) * 1000:,}",
    "apostrophes": lambda m: f"'{m:%Y-%m-%d %H:%M:%S}'",
    "text of a spreadsheet": lambda m: f'=""{m:%Y-%m-%d %H:%M:%S}""',
    "days of a spreadsheet": lambda m: f"{25569 + epoch(m) / 86400:.10f}",
    "Windows' files": lambda m: str((epoch(m) + 11_644_473_600) * 10**7),
    ".NET, ticks": lambda m: str((epoch(m) + 62_135_596_800) * 10**7),
}

TIMES_WITHOUT_YEAR: dict[str, Callable[[datetime], str]] = {
    "syslog": lambda m: f"{named(m)[1]} {m.day:2d} {m:%H:%M:%S}",
    "day first": lambda m: f"{m.day}. {named(m)[1]} {m:%H:%M}",
    "Android": lambda m: f"{m:%m-%d %H:%M:%S}.000",
    "German": lambda m: f"{m:%d.%m. %H:%M}",
    "a.m.": lambda m: f"{named(m)[1]} {m.day}, {m:%I:%M %p}",
    "klog": lambda m: f"I{m:%m%d %H:%M:%S}.000000",
}

SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        *(sar, sar_twelve_hours, sadf, vmstat, iostat, pgbench_aggregated, two_words, logfmt, access_log),
        *(ping, free, durations, unnamed_columns),
        *(
            cloudwatch_statistics,
            cloudwatch_data,
            prometheus,
            graphite,
            graphite_raw,
            grafana_frames,
            influxdb,
            opentsdb,
            netdata,
        ),
        *(datadog, elasticsearch, google_monitoring, victoriametrics, json_lines, json_rows, pandas_split),
        *(pandas_columns, pandas_numbered, open_meteo, azure, parts, named_month, digits, with_microseconds),
        *(performance_monitor, counter_first, seconds_and_nanoseconds, zone_in_name, numbered_columns),
        *(
            parts_beside_time,
            growing_counter,
            often_short,
            sar_of_processors,
            pretty_documents,
            json_sequence,
        ),
        *(
            in_apostrophes,
            decimal_commas,
            decimal_commas_without_names,
            several_decimal_commas,
            influxdb_lines,
        ),
    )
}


def workbook(given: Sequence[Point]) -> bytes:
    """An Excel workbook with a title above its names and an empty column."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([None, "Report of the week"])
    sheet.append([])
    sheet.append([None, "Time", "Load", "Note"])
    for moment, value in given:
        sheet.append([None, moment.replace(tzinfo=None), value, "ok"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet(given: Sequence[Point], unit: str = "us") -> bytes:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(
        {
            "at": pyarrow.array([moment for moment, _ in given], type=pyarrow.timestamp(unit, "UTC")),
            "load": pyarrow.array([value for _, value in given]),
        }
    )
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()
