"""Try: what the rules would decide now about an alert, with every guard. Nothing is touched.

The alert is one that came before, or one that is written into a form: a notification as
Alertmanager or Grafana posts it, or labels line by line. What came before is decided on as if its
sender sent it now; what is written comes without a credential.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, g, request

from service.domain.alerts.alert import Notification, PayloadFormat
from service.domain.decisions.decision_json import decision_json
from service.domain.filters import BadFilter
from service.domain.people import NotFound
from service.domain.rules.consulted import trace_json
from service.intake.parse import PayloadRefused, parse_notification
from service.ports.admission import Delivery
from service.store.filters import only
from service.store.queries import AlertFilter
from service.store.replays import StoredNotification
from service.triggers.alerts.preview import Preview
from service.web.console.forms import form
from service.web.console.pages import page
from service.web.parts import WebParts

PICKED_FROM = 10
"""The newest alerts that can be picked. The page of each alert has a link to Try too."""
AT_MOST = 20
"""Alerts of one notification that are tried, so that a page stays short enough to read."""


def add_trying(console: Blueprint, parts: WebParts) -> None:
    """The page with the form, and with the verdict below it."""

    @console.route("/rules/try", methods=["GET", "POST"])
    def try_out() -> Response:
        only(request.args, "of")
        given, tried = "", None
        if request.method == "POST":
            given = form().get("alert", "").strip()
            tried = [Delivery(_read(given, g.now), g.now)]
        elif of := request.args.get("of"):
            tried = [_as_it_came(each, g.now) for each in parts.stored_notifications([of])]
            if not tried:
                raise NotFound(f"There is no alert {of!a}.")
        previews = None if tried is None else _previewed(parts, tried)
        return page(
            "try.html",
            given=given,
            newest=parts.queries.alerts(AlertFilter(), PICKED_FROM).items,
            tried=previews,
            unread=[each.reason for one in tried or () for each in one.notification.quarantined],
            unscoped=bool(given) and parts.rules().book.scopes.stated,
            hash=parts.rules().book.hash,
        )


def _as_it_came(stored: StoredNotification, now: float) -> Delivery:
    """A notification on record as if its sender sent it now."""
    return Delivery(stored.notification, now, credential=stored.credential, address=stored.address)


def _previewed(parts: WebParts, tried: Sequence[Delivery]) -> list[dict[str, Any]]:
    count = sum(len(each.notification.alerts) for each in tried)
    if count > AT_MOST:
        raise BadFilter(f"{count} alerts are too many for one look: try at most {AT_MOST}.")
    return [_told(each) for each in parts.preview(tried, parts.rules())]


def _told(each: Preview) -> dict[str, Any]:
    """One alert as the page shows it."""
    return {
        "name": each.alert.name or "unnamed alert",
        "labels": dict(each.alert.labels),
        "decisions": [decision_json(decision) for decision in each.decisions],
        "rules": [trace_json(trace) for trace in each.traces],
    }


def _read(text: str, now: float) -> Notification:
    """The notification that was written into the form.

    Raises:
        BadFilter: it can not be understood; the sentence says why.
    """
    body = text if text.startswith("{") else _of_labels(text, now)
    try:
        found = _parsed(body, "alertmanager", now)
        ours = found.format is PayloadFormat.ALERTMANAGER
        return found if ours else _parsed(body, "grafana", now)
    except PayloadRefused as refused:
        raise BadFilter(f"{refused.sentence} Nothing was tried.") from None


def _parsed(body: str, source: str, now: float) -> Notification:
    return parse_notification(
        body.encode("utf-8", "replace"),
        source=source,
        content_type="application/json",
        received_at=datetime.fromtimestamp(now, UTC),
    )


def _of_labels(text: str, now: float) -> str:
    """One firing alert with these labels, as Alertmanager posts it. `text` has a label a line."""
    labels: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = line.partition("=")
        if not sign or not name.strip():
            raise BadFilter(f"{line[:80]!a} is no label: write each as name=value, one a line.")
        labels[name.strip()] = value.strip().strip('"')
    if not labels.get("alertname"):
        raise BadFilter("Write at least alertname=… with the name of the alert.")
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
        "fingerprint": hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16],
    }
    return json.dumps({"version": "4", "status": "firing", "receiver": "try", "alerts": [alert]})
