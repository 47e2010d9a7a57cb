"""A fleet that stands still: 191 metrics at a fixed moment, with a database incident that spread to the shop."""

import zlib
from functools import cache

import numpy as np

NOW = 1_773_325_560  # 2026-03-12 14:26:00 UTC
DAY = 86_400
INTERVAL = 60
FIRST = NOW - 21 * DAY

SERVICES = ["api", "checkout", "search", "login", "catalog", "images", "mail", "admin"]
COUNTRIES = ["de", "fr", "it", "es", "nl", "pl", "uk"]
HOSTS = [f"web{i:02d}" for i in range(1, 13)]


def _names():
    yield from (
        f"web.{s}.{m}"
        for s in SERVICES
        for m in ("requests", "latency_p50", "latency_p95", "errors", "bytes_out")
    )
    yield from (
        f"db.{s}.{m}"
        for s in ("primary", "replica1", "replica2")
        for m in (
            "latency_p95",
            "connections",
            "transactions",
            "locks",
            "cache_hit_ratio",
            "replication_lag",
            "disk_reads",
        )
    )
    yield from (
        f"host.{h}.{m}"
        for h in HOSTS
        for m in ("cpu.user", "memory.used", "disk.root.used", "network.rx", "load1")
    )
    yield from (
        f"queue.{q}.{m}"
        for q in ("orders", "mail", "invoices", "thumbnails")
        for m in ("depth", "age", "rate")
    )
    yield from (
        f"cache.{m};dc={dc};host=c{i}"
        for m in ("hits", "misses", "evictions", "memory", "latency")
        for dc in ("ams", "fra")
        for i in (1, 2, 3)
    )
    yield from (f"shop.{m}.{c}" for m in ("orders", "revenue", "carts", "payments_failed") for c in COUNTRIES)


NAMES = list(_names())
BASES = {
    "requests": 1240,
    "latency_p50": 23,
    "latency_p95": 84,
    "errors": 3.1,
    "bytes_out": 48e6,
    "connections": 145,
    "transactions": 820,
    "locks": 12,
    "cache_hit_ratio": 0.9,
    "replication_lag": 0.4,
    "disk_reads": 410,
    "user": 31,
    "used": 61,
    "rx": 12.4e6,
    "load1": 2.1,
    "depth": 18,
    "age": 4.2,
    "rate": 96,
    "hits": 5200,
    "misses": 140,
    "evictions": 9,
    "memory": 3.1e9,
    "latency": 0.8,
    "orders": 42,
    "revenue": 1830,
    "carts": 130,
    "payments_failed": 1.4,
}

# name: begin (seconds before NOW), end, direction, how many bands away, highest score, cause
EVENTS = {
    "db.primary.latency_p95": [(2700, 0, "up", 7, 0.86, "jump")],
    "web.checkout.latency_p95": [(2580, 0, "up", 5, 0.74, "error")],
    "web.api.latency_p95": [(2520, 60, "up", 4, 0.66, "error")],
    "web.checkout.errors": [
        (2460, 0, "up", 6, 0.81, "extreme"),
        (9 * DAY, 9 * DAY - 1800, "up", 5, 0.7, "extreme"),
    ],
    "queue.orders.depth": [(2400, 0, "up", 8, 0.71, "offset")],
    "queue.orders.age": [(2340, 0, "up", 6, 0.63, "offset")],
    "shop.orders.de": [(2220, 300, "down", 3, 0.58, "error")],
    "host.web07.disk.root.used": [(7500, 0, "up", 4, 0.61, "offset")],
    "web.search.requests": [(19_800, 18_600, "down", 5, 0.69, "distance")],
    "cache.evictions;dc=fra;host=c2": [(31_000, 29_500, "up", 5, 0.72, "unrest")],
    "cache.misses;dc=fra;host=c2": [(30_900, 29_800, "up", 4, 0.6, "unrest")],
    "db.replica2.replication_lag": [(52_000, 51_000, "up", 6, 0.64, "jump")],
    "web.login.requests": [(61_000, 60_400, "pattern", 1, 0.55, "sequence")],
    "shop.payments_failed.it": [(4 * DAY, 4 * DAY - 3000, "up", 5, 0.67, "extreme")],
}
LEARNING = {"shop.orders.pl": 37, "shop.carts.pl": 37, "shop.revenue.pl": 36}
SILENT = {f"host.web11.{m}" for m in ("cpu.user", "memory.used", "disk.root.used", "network.rx", "load1")}
SILENT_S = 740
ERROR = {"queue.thumbnails.rate"}
NO_MODEL = {"web.admin.bytes_out"}
UNMONITORED = {"db.replica1.locks", "db.replica2.locks"}


def uid_of(name):
    return f"{zlib.crc32(name.encode()):08x}"


def _base(name):
    leaf = name.split(";")[0].rsplit(".", 1)[-1]
    kind = leaf if leaf in BASES else name.split(".")[1]
    return BASES.get(kind, 100.0)


@cache
def _day(name, day):
    """Return values, centre, half of the usual band and scores of a day's minutes."""
    seed = zlib.crc32(name.encode())
    rng = np.random.default_rng([seed, day])
    base = _base(name) * (1.0 if "ratio" in name else 0.8 + (seed % 100) / 250)
    minutes = np.arange(DAY // INTERVAL)
    phase = (seed % 7) / 40
    weekend = 0.72 if (day + 4) % 7 in (0, 6) else 1.0
    wave = (
        1
        + 0.32 * weekend * np.sin(2 * np.pi * (minutes / 1440 - 0.36 + phase))
        + 0.05 * np.sin(8 * np.pi * minutes / 1440)
    )
    if "ratio" in name:
        wave = 1 + (wave - 1) * 0.01
    if "disk" in name or "memory" in name:
        wave = 1 + (wave - 1) * 0.12
    centre = base * wave
    half = base * (0.012 if "ratio" in name else 0.05 if "used" in name else 0.11)
    noise = np.convolve(rng.normal(0, 1, len(minutes) + 2), [0.25, 0.5, 0.25], "valid") * 0.62
    values = centre + half * noise * 0.8
    scores = np.clip(rng.beta(0.7, 9, len(minutes)) * 0.6, 0, 0.42)
    start = day * DAY
    for before, until, direction, size, top, _cause in EVENTS.get(name, []):
        times = start + minutes * INTERVAL
        inside = (times >= NOW - before) & (times <= NOW - until)
        if not inside.any():
            continue
        grown = np.minimum(1.0, (times - (NOW - before)) / 600 + 0.45)
        sign = {"up": 1, "down": -1, "pattern": 0}[direction]
        values = np.where(inside, values + sign * size * half * grown * (1 + 0.12 * noise), values)
        fade = np.exp(-np.clip(times - (NOW - before) - 300, 0, None) / 2400)
        scores = np.where(
            inside,
            np.clip(top * grown * (0.62 + 0.38 * fade) + rng.normal(0, 0.03, len(minutes)), 0, top),
            scores,
        )
    return np.maximum(values, 0), centre, np.full(len(minutes), half * 1.15), np.clip(scores, 0, 1)


def last_time(name):
    return NOW - SILENT_S if name in SILENT else NOW


def first_time(name):
    return NOW - (LEARNING[name] - 1) * INTERVAL if name in LEARNING else FIRST


def series(name, since, until):
    """Return the columns of a metric's rows in a span, as a dictionary of arrays."""
    since, until = max(since, first_time(name)), min(until, last_time(name))
    days = range(int(since // DAY), int(until // DAY) + 1)
    parts = [_day(name, day) for day in days]
    time = (
        np.concatenate([day * DAY + np.arange(DAY // INTERVAL) * INTERVAL for day in days])
        if days
        else np.array([])
    )
    value, centre, half, score = (
        (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else [np.array([])] * 4
    )
    kept = (time >= since) & (time <= until)
    # Two hours without samples, so that a gap is seen.
    if name == "web.catalog.requests":
        kept &= ~((time > NOW - 40_000) & (time < NOW - 33_000))
    scored = name not in LEARNING | dict.fromkeys(NO_MODEL | UNMONITORED)
    nothing = np.full(int(kept.sum()), np.nan)
    return {
        "time": time[kept].astype(float),
        "value": value[kept],
        "log_score": score[kept] if scored else nothing,
        "low": (centre - half)[kept] if scored else nothing,
        "high": (centre + half)[kept] if scored else nothing,
        "forecast": centre[kept] if scored else nothing,
        "sequence": score[kept] * 0.3 if scored else nothing,
        "novelty": score[kept] * 0.9 if scored else nothing,
        "raw": np.minimum(1, score[kept] * 1.4) if scored else nothing,
    }


def reduce(columns, points):
    """Return the columns with at most so many rows: means between lowest and highest value, highest scores."""
    n = len(columns["time"])
    if n <= points:
        return columns
    size = -(-n // points)
    edges = np.arange(0, n, size)
    reduced = {
        name: np.add.reduceat(column, edges) / np.diff([*edges, n]) for name, column in columns.items()
    }
    reduced["time"] = columns["time"][edges]
    reduced["log_score"] = np.maximum.reduceat(columns["log_score"], edges)
    reduced["value_min"] = np.minimum.reduceat(columns["value"], edges)
    reduced["value_max"] = np.maximum.reduceat(columns["value"], edges)
    return reduced


def one_in(score):
    return float(np.clip(10 ** (10 * score), 1, 3_000_000))


def alarms(name):
    """Return the alarms of a metric, newest first."""
    found = []
    for before, until, direction, _size, _top, cause in EVENTS.get(name, []):
        columns = series(name, NOW - before, NOW - until)
        for i in np.flatnonzero(columns["log_score"] >= 0.5):
            time, value = int(columns["time"][i]), float(columns["value"][i])
            usual = [float(columns["low"][i]), float(columns["high"][i])]
            score = float(columns["log_score"][i])
            found.append(
                {
                    "uid": uid_of(name),
                    "name": name,
                    "rowid": (time - FIRST) // INTERVAL + 1,
                    "time": time,
                    "value": value,
                    "log_score": score,
                    "one_in": one_in(score),
                    "cause": cause,
                    "channel": {"sequence": "sequence", "jump": "jump", "extreme": "extreme"}.get(
                        cause, "deviation"
                    ),
                    "direction": direction,
                    "forecast": float(columns["forecast"][i]),
                    "usual": usual,
                    "foreseen": [[usual[0] * 0.98, usual[0] * 1.06], [usual[1] * 0.9, usual[1] * 0.97]],
                    "alarms_before": 3,
                    "last_alarm": NOW - 9 * DAY,
                    "sentence": sentence(cause, value, columns["forecast"][i], usual, direction),
                    "verdict": None,
                }
            )
    return sorted(found, key=lambda alarm: -alarm["time"])


def _short(number):
    return f"{number:.4g}" if number < 1e4 else f"{number / 1e6:.3g} M" if number >= 1e6 else f"{number:.0f}"


def sentence(cause, value, forecast, usual, direction):
    low, high = _short(usual[0]), _short(usual[1])
    return {
        "jump": f"Steps to {_short(value)} are larger than usual: forecast {_short(forecast)}, usual {low} to {high}.",
        "error": f"{_short(value)} is far from what was forecast: {_short(forecast)}, usual {low} to {high}.",
        "extreme": f"{_short(value)} is {'higher' if direction == 'up' else 'lower'} than ever seen; usual {low} to {high}.",
        "offset": f"{_short(value)} has stayed {'above' if direction == 'up' else 'below'} its level of {low} to {high}.",
        "distance": f"{_short(value)} is far from its level of {low} to {high}.",
        "unrest": f"It fluctuates more than usual, between {low} and {_short(value)}.",
        "sequence": "The values are usual, their order is not.",
    }[cause]


def _incident(key, names, state, severity, text, **more):
    metrics = []
    for name in names:
        event = next(event for event in EVENTS[name] if more.get("pick", lambda _event: True)(event))
        metrics.append(
            {
                "uid": uid_of(name),
                "name": name,
                "first": NOW - event[0],
                "last": NOW - event[1],
                "max": event[4],
                "cause": event[5],
                "direction": event[2],
            }
        )
    metrics.sort(key=lambda metric: metric["first"])
    opened, changed = metrics[0]["first"], max(metric["last"] for metric in metrics)
    for metric in metrics:
        metric["lag"] = metric["first"] - opened
    return {
        "id": key,
        "state": state,
        "severity": severity,
        "opened": opened,
        "changed": changed,
        "resolved": changed + 1800 if state == "resolved" else None,
        "first_mover": {"uid": metrics[0]["uid"], "name": metrics[0]["name"], "time": opened},
        "metrics": metrics,
        "metric_count": len(metrics),
        "alarm_count": 3 * len(metrics),
        "max": max(metric["max"] for metric in metrics),
        "sentence": text,
        "ack": None,
        "snoozed_until": None,
        "verdict": None,
        "history": [],
        "deliveries": [],
        "url": None,
    }


INCIDENTS = [
    _incident(
        "i7k2",
        [
            "db.primary.latency_p95",
            "web.checkout.latency_p95",
            "web.api.latency_p95",
            "web.checkout.errors",
            "queue.orders.depth",
            "queue.orders.age",
            "shop.orders.de",
        ],
        "open",
        "warning",
        "Began with a jump of db.primary.latency_p95; 6 metrics followed within 8 min.",
        pick=lambda event: event[0] < DAY,
    ),
    _incident(
        "i7k1",
        ["host.web07.disk.root.used"],
        "open",
        "warning",
        "host.web07.disk.root.used has stayed above its level for 2 h 5 min.",
    ),
    _incident(
        "i7j9",
        ["web.search.requests"],
        "resolved",
        "warning",
        "web.search.requests was far from its level for 20 min.",
    ),
    _incident(
        "i7j4",
        ["cache.evictions;dc=fra;host=c2", "cache.misses;dc=fra;host=c2"],
        "resolved",
        "warning",
        "Began with unrest of cache.evictions;dc=fra;host=c2; 1 metric followed within 2 min.",
    ),
    _incident(
        "i7h0",
        ["db.replica2.replication_lag"],
        "resolved",
        "info",
        "A jump of db.replica2.replication_lag, 17 min.",
    ),
    _incident(
        "i7g8",
        ["web.login.requests"],
        "resolved",
        "info",
        "The order of web.login.requests was unusual for 10 min.",
    ),
]
IN_INCIDENT = {
    metric["name"]: one["id"] for one in INCIDENTS if one["state"] == "open" for metric in one["metrics"]
}


def state_of(name):
    for state, names in (
        ("learning", LEARNING),
        ("silent", SILENT),
        ("error", ERROR),
        ("no_model", NO_MODEL),
        ("unmonitored", UNMONITORED),
    ):
        if name in names:
            return state
    return "active"


def _why_no_score(name):
    state = state_of(name)
    if state == "learning":
        have = LEARNING[name]
        return {
            "code": "too_few_samples",
            "text": f"sample {have} of 100",
            "have": have,
            "need": 100,
            "eta": (100 - have) * INTERVAL,
        }
    return {
        "error": {"code": "model_error", "text": "the model stopped with an error: its block is damaged"},
        "no_model": {"code": "no_model", "text": "no model: the rules leave it out"},
        "unmonitored": {"code": "no_model", "text": "not monitored"},
    }.get(state)


@cache
def row(name):
    """Return a metric's row as the API tells it."""
    _base_name, *pairs = name.split(";")
    columns = series(name, NOW - DAY, NOW)
    scores = columns["log_score"]
    why = _why_no_score(name)
    now = None if why else float(scores[-1])
    recent = [alarm for alarm in alarms(name) if alarm["time"] > NOW - DAY]
    hour = None if why else float(np.max(scores[columns["time"] > NOW - 3600], initial=0))
    incident = IN_INCIDENT.get(name)
    day_max = None if why else float(np.max(scores, initial=0))
    age = NOW - recent[0]["time"] if recent else DAY
    running = recent and age <= 300
    return {
        "uid": uid_of(name),
        "name": name,
        "tags": dict(pair.split("=", 1) for pair in pairs),
        "state": state_of(name),
        "last": {
            "rowid": int((columns["time"][-1] - FIRST) // INTERVAL + 1),
            "time": int(columns["time"][-1]),
            "value": float(columns["value"][-1]),
        },
        "interval": INTERVAL,
        "log_score": now,
        "max_1h": hour,
        "max_24h": day_max,
        "one_in": None if why else one_in(now),
        "alarms_24h": len(recent),
        "usual": None if why else [float(columns["low"][-1]), float(columns["high"][-1])],
        "forecast": None if why else float(columns["forecast"][-1]),
        "incident": incident,
        "snoozed_until": None,
        "why_no_score": why,
        "oddness": max(now or 0, (day_max or 0) * 2 ** (-age / (6 * 3600))),
        "cause": recent[0]["cause"] if recent else None,
        "direction": recent[0]["direction"] if recent else None,
        "since": NOW - SILENT_S if name in SILENT else recent[-1]["time"] if running else None,
        "stored": int((columns["time"][-1] - first_time(name)) // INTERVAL + 1),
    }


def spark(name, since, until, cells=60):
    columns = series(name, since, until)
    place = np.minimum(((columns["time"] - since) / (until - since) * cells).astype(int), cells - 1)
    values, bars = [None] * cells, [None] * cells
    for cell in range(cells):
        inside = place == cell
        if inside.any():
            values[cell] = float(columns["value"][inside].mean())
            top = columns["log_score"][inside].max()
            bars[cell] = None if np.isnan(top) else int(255 * top)
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (None, None)
    size = (high - low) or 1 if known else 1
    return {
        "spark": [None if value is None else round(255 * (value - low) / size) for value in values],
        "low": low,
        "high": high,
        "bars": bars,
        "bridge": int(3.5 * INTERVAL / (until - since) * cells),
    }


def labels():
    """Return what people say of the metrics."""
    return [
        {
            "id": "l1",
            "uid": uid_of("db.primary.latency_p95"),
            "match": None,
            "from": NOW - 1800,
            "to": NOW - 600,
            "kind": "anomaly",
            "note": "The disk was full.",
            "by": "anna",
            "created": NOW - 300,
            "expires": None,
            "incident": None,
        }
    ]


def taught():
    """Return what models were taught: what counts, what was taken back, what has expired."""
    day = 86_400
    lessons = [
        ("l2", "db.primary.latency_p95", 2, "values", "anna", "The nightly copy.", 7, None),
        ("l3", "queue.orders.depth", 12, "times", "bert", "", 0, None),
        ("l4", "web.eu1.requests", 40, "forget", "anna", "Moved to the new rack.", 0, 30),
        ("l5", "db.primary.latency_p95", 100, "values", "bert", "", 2, None),
    ]
    return [
        {
            "id": key,
            "uid": uid_of(name),
            "name": name,
            "match": None,
            "from": NOW - days * day - 3600,
            "to": NOW - days * day - 1800,
            "kind": "normal",
            "how": how,
            "note": note,
            "by": by,
            "created": NOW - days * day,
            "expires": NOW + (90 - days) * day,
            "incident": None,
            "effective_rowid": 5000 + days,
            "silenced": silenced,
            "last_silenced": NOW - day if silenced else None,
            "undone": None if undone is None else NOW - undone * day,
            "counts": undone is None and days < 90,
        }
        for key, name, days, how, by, note, silenced, undone in lessons
    ]
