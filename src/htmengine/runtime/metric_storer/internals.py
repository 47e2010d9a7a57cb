"""What known agents send about themselves, which is seldom worth a model: patterns of its names, by agent.

Names are as the doors give them; an agent that comes through several doors has a pattern for each form. The list stands in
docs/reference/rules.md.
"""

from __future__ import annotations

from typing import Final

ALL: Final = "all"

REGEXES: Final[dict[str, tuple[str, ...]]] = {
    "carbon": (
        # Graphite's own daemons, and relays in their place.
        r"carbon\.(agents|aggregator|relays)\..*",
        r"service_is_carbon-relay-ng\..*",
    ),
    "collectd": (r"(.*\.)?collectd-(cache|write_queue)\..*",),
    "datadog": (r"(n_o_i_n_d_e_x\.)?datadog\.(agent|dogstatsd|process|trace_agent)\..*",),
    "htmengine": (r"htmengine_.*",),
    "icinga2": (
        # States and counts of checks, and thresholds beside the measured values.
        r"icinga2\..*\.metadata\.[^.]+",
        r"icinga2\..*\.perfdata\..*\.(warn|crit|min|max)",
    ),
    "netdata": (
        r"netdata\..+?\.netdata\..*",
        r"netdata_netdata_.*",
    ),
    "node_exporter": (
        r"node_(scrape_collector_.*|exporter_build_info.*|textfile_scrape_error.*)",
        r"(go_|process_|promhttp_).*;.*\bjob=node.*",
    ),
    "otel-collector": (r"otelcol_.*",),
    "prometheus": (
        # What a server adds to each target, and its alerts as series.
        r"up(;.*)?",
        r"scrape_(duration_seconds|samples_scraped|samples_post_metric_relabeling|series_added"
        r"|timeout_seconds|sample_limit|body_size_bytes)(;.*)?",
        r"ALERTS(_FOR_STATE)?(;.*)?",
        r"(prometheus|net_conntrack)_.*",
    ),
    "prometheus-clients": (
        # Of the libraries by which programs expose metrics: the process, its run time, the requests for metrics.
        r"(go|process|promhttp|python_gc|nodejs)_.*",
        r"(go|python|target)_info(;.*)?",
    ),
    "statsd": (
        r"statsd\..*",
        r"stats(_counts|\.counters|\.gauges|\.timers)?\.statsd\..*",
    ),
    "telegraf": (r"(.*\.)?internal_(agent|gather|memstats|parser|process|serializer|statsd|write)[._].*",),
    "victoriametrics": (r"(vm|vmagent|vmalert|vminsert|vmselect|vmstorage)_.*",),
}


def regex(text: str) -> str:
    """Return the regular expression of the agents that are named, with blanks or commas between them, or of all.

    Raises
    ------
    ValueError : an agent is not known.
    """
    agents = text.replace(",", " ").split()
    if agents == [ALL]:
        agents = list(REGEXES)
    unknown = [agent for agent in agents if agent not in REGEXES]
    if unknown or not agents:
        raise ValueError(f"names no known agents; there are {', '.join(REGEXES)}, or {ALL} for all of them")
    return "|".join(f"(?:{one})" for agent in agents for one in REGEXES[agent])
