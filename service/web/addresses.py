"""Where a request should have gone, for the one that came to a wrong address."""

from __future__ import annotations

_ENDPOINTS = (
    "Alertmanager posts its notifications to /webhooks/alertmanager, Grafana to /webhooks/grafana."
)
_PROMETHEUS = (
    "Prometheus sends its alerts there, and runbookd is no Alertmanager. In prometheus.yml, point "
    "alerting.alertmanagers at your Alertmanager. In alertmanager.yml, give a receiver "
    "webhook_configs with the url of runbookd's /webhooks/alertmanager."
)
_PROMETHEUS_PATHS = ("/api/v1/alerts", "/api/v2/alerts")
"""What Prometheus appends to whatever address it is given."""


def nothing_there(path: str) -> str:
    """Where to post instead, for a path that is none."""
    if path.endswith(_PROMETHEUS_PATHS):
        return f"There is nothing at {path!a}. {_PROMETHEUS}"
    if path.startswith("/api/"):
        return f"There is nothing at {path!a}."
    return f"There is nothing at {path!a}. {_ENDPOINTS}"


def not_that_way(method: str, path: str) -> str:
    """How to post instead, for a method that is not taken."""
    said = f"{method} is not possible at {path!a}."
    return f"{said} {_PROMETHEUS}" if path.endswith(_PROMETHEUS_PATHS) else said
