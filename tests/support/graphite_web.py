"""Asks graphite-web itself: run by the Python that HTMENGINE_GRAPHITE_WEB names, in which graphite-web 1.1 is installed.

Reads one JSON document from standard input and writes one: the answers to its questions.
"""

import fnmatch
import json
import os
import sys
import tempfile
from datetime import datetime

os.environ["DJANGO_SETTINGS_MODULE"] = "graphite.settings"

import django
import pytz
from graphite import settings

settings.LOG_DIR = tempfile.mkdtemp()
settings.SECRET_KEY = "of a test"
django.setup()

from graphite.finders import match_entries  # noqa: E402
from graphite.render import evaluator  # noqa: E402
from graphite.render.attime import parseATTime  # noqa: E402
from graphite.render.datalib import TimeSeries  # noqa: E402
from graphite.util import epoch  # noqa: E402


def at(seconds):
    return datetime.fromtimestamp(seconds, pytz.utc)


def times(question):
    found = []
    for text in question["texts"]:
        try:
            found.append(epoch(parseATTime(text, pytz.utc, at(question["now"]))))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


def globs(question):
    return [sorted(match_entries(question["names"], pattern)) for pattern in question["patterns"]]


def rendered(question):
    """Evaluate targets over series: by name, a step and a value for each slot since the epoch 0."""
    data = question["series"]

    def fetch(context, path):
        start, end = epoch(context["startTime"]), epoch(context["endTime"])
        found = []
        for name in sorted(data):
            if not fnmatch.fnmatchcase(name, path):
                continue
            step, values = data[name]
            first, last = start // step * step + step, end // step * step + step
            slots = [
                values[slot // step] if 0 <= slot // step < len(values) else None
                for slot in range(first, last, step)
            ]
            series = TimeSeries(name, first, last, step, slots)
            series.pathExpression = path
            found.append(series)
        return found

    evaluator.fetchData = fetch
    evaluator.prefetchData = lambda context, targets: None
    found = []
    for text in question["targets"]:
        context = {
            "startTime": at(question["start"]),
            "endTime": at(question["end"]),
            "now": at(question["end"]),
            "tzinfo": pytz.utc,
            "localOnly": True,
            "template": None,
            "prefetched": {},
            "data": [],
            "requestContext": {},
            "xFilesFactor": 0,
            "maxDataPoints": None,
        }
        try:
            result = evaluator.evaluateTarget(context, text)
            found.append([[one.name, int(one.start), int(one.step), list(one)] for one in result])
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


def consolidated(question):
    found = []
    for how in question["functions"]:
        series = TimeSeries("a", 0, len(question["values"]), 1, list(question["values"]), consolidate=how)
        series.consolidate(question["count"])
        found.append(list(series))
    return found


QUESTIONS = {"times": times, "globs": globs, "rendered": rendered, "consolidated": consolidated}

if __name__ == "__main__":
    asked = json.load(sys.stdin)
    sys.stdout.write(json.dumps([QUESTIONS[one["kind"]](one) for one in asked]))
