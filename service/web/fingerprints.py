"""Hides the fingerprints of alerts while the read API is open to everybody.

Somebody who knows an alert's fingerprint and a sender's secret could say that the alert has
resolved. Without API_TOKENS the read API asks for no token, so it shows no fingerprints. In open
mode it shows them, because there anybody on this machine may post alerts anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from service.settings import Settings

Show = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns an item of the API without what the reader may not see."""

_IN_RAW = re.compile(r'("fingerprint"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)
"""The fingerprint in an alert's raw JSON. The text may be cut anywhere, so it cannot be parsed."""


def shown_by(settings: Settings) -> Show:
    """The function by which this process shows alerts, decided once by its settings."""
    if settings.api_tokens or settings.open_webhooks:
        return _whole
    return _without


def _whole(item: dict[str, Any]) -> dict[str, Any]:
    return item


def _without(item: dict[str, Any]) -> dict[str, Any]:
    kept = dict(item)
    if "fingerprint" in kept:
        kept["fingerprint"] = None
    if isinstance(alert := kept.get("alert"), dict):
        kept["alert"] = _without(alert)
    if isinstance(raw := kept.get("raw"), str):
        kept["raw"] = _IN_RAW.sub(r"\1null", raw)
    return kept
