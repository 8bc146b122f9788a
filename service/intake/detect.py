"""Which format a payload has, told by its content and never by the path it was posted to.

Grafana can post to what was set up for Alertmanager, and the other way round, and Grafana
through an external Alertmanager looks like Alertmanager: only the content tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.alerts.alert import PayloadFormat

ALERTMANAGER_VERSION = "4"
GRAFANA_VERSION = "1"


def detect(payload: Mapping[str, object]) -> PayloadFormat:
    """The payload's format (wire contract, "Telling them apart").

    What carries none of the signs is read as Alertmanager's, whose envelope every sender of
    `alerts` has copied.
    """
    if "ruleId" in payload and ("evalMatches" in payload or _one_rule(payload)):
        return PayloadFormat.GRAFANA_LEGACY
    if payload.get("version") == GRAFANA_VERSION or ("orgId" in payload and "state" in payload):
        return PayloadFormat.GRAFANA
    return PayloadFormat.ALERTMANAGER


def _one_rule(payload: Mapping[str, object]) -> bool:
    """Legacy may leave out `evalMatches`: there is nothing to list when nothing was measured."""
    return "state" in payload and "alerts" not in payload
