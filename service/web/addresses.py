"""The sentences for a request to a wrong address: they say where it should have gone."""

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
"""Prometheus appends one of these to the address that it is given."""


def nothing_there(path: str) -> str:
    """The sentence for a path that does not exist (404): where to post instead."""
    if path.endswith(_PROMETHEUS_PATHS):
        return f"There is nothing at {path!a}. {_PROMETHEUS}"
    if path.startswith("/api/"):
        return f"There is nothing at {path!a}."
    return f"There is nothing at {path!a}. {_ENDPOINTS}"


def not_that_way(method: str, path: str) -> str:
    """The sentence for a method that the path does not take (405)."""
    said = f"{method} is not possible at {path!a}."
    return f"{said} {_PROMETHEUS}" if path.endswith(_PROMETHEUS_PATHS) else said
