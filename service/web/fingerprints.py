"""What the read API keeps back from whoever shows no token: the fingerprints of alerts.

Who knows an alert's fingerprint and has a sender's secret could say that the alert has resolved.
Without API_TOKENS the read API asks for no token, so it shows none. In open mode it shows them:
there anybody on this machine may post alerts as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from service.settings import Settings

Show = Callable[[dict[str, Any]], dict[str, Any]]
"""An item as it may be shown."""

_IN_RAW = re.compile(r'("fingerprint"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)
"""In an alert as it came, which may be cut anywhere."""


def shown_by(settings: Settings) -> Show:
    """How this process shows alerts."""
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
