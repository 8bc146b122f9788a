"""What is measured: the metrics by name, their units, and what Prometheus is asked for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

COUNT, DOLLARS = "instances", "dollars"
"""The two metrics that vendors tell, of each target."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What a metric may be called."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `expression` is what Prometheus is asked for it: it yields one series."""

    name: str
    unit: str
    what: str
    expression: str = ""


_STANDARD = (
    Metric("cpu", "%", "CPU of the API's instances", "avg(cpu_usage)"),
    Metric("memory", "%", "memory of the worker machines", "avg(memory_usage)"),
    Metric("rps", "req/s", "requests", "sum(rate(http_requests_total[5m]))"),
    Metric(
        "p95",
        "ms",
        "the time within which 95 % of the requests are answered",
        "histogram_quantile(0.95, sum by (le) "
        "(rate(http_request_duration_milliseconds_bucket[5m])))",
    ),
    Metric(
        "errors",
        "%",
        "failed requests",
        "100 * sum(rate(http_request_errors_total[5m])) / sum(rate(http_requests_total[5m]))",
    ),
    Metric(
        "connections",
        "free",
        "connections that are left in the database's pool",
        "min(db_connections_available)",
    ),
    Metric(
        "cache",
        "%",
        "requests that the cache answers",
        "100 * sum(rate(cache_hits_total[5m])) / sum(rate(cache_requests_total[5m]))",
    ),
    Metric(COUNT, "", "instances of a target"),
    Metric(DOLLARS, "$/month", "what a target costs, by its vendor's prices"),
)
METRICS: Mapping[str, Metric] = {each.name: each for each in _STANDARD}
"""The metrics that are kept in any case. The names in the expressions are those of the runbook's
alerts (rules/prometheus/quizmentor.rules.yml); `cache_hits_total` and `cache_requests_total` are
counters that the application exports."""


def expressions(own: Mapping[str, str]) -> dict[str, str]:
    """What Prometheus is asked, by metric. `own` is what the rules say; it wins."""
    standard = {each.name: each.expression for each in _STANDARD if each.expression}
    return {**standard, **own}


def unit_of(name: str) -> str:
    """The unit of a metric; empty for one that only the rules know."""
    return METRICS[name].unit if name in METRICS else ""
