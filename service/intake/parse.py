"""The one way in: a sender's bytes to a Notification.

The web layer caps the size and authenticates before it comes here; whatever this refuses can
never succeed, and whatever it takes can be stored.
"""

from __future__ import annotations

from datetime import datetime

from service.domain.alerts.alert import Notification, PayloadFormat
from service.intake import alertmanager, grafana, grafana_legacy
from service.intake.decode import decode
from service.intake.detect import detect
from service.intake.listed import Delivery
from service.intake.refusal import PayloadRefused
from service.intake.text import shown

__all__ = ["PayloadRefused", "parse_notification"]

_READERS = {
    PayloadFormat.ALERTMANAGER: alertmanager.read,
    PayloadFormat.GRAFANA: grafana.read,
    PayloadFormat.GRAFANA_LEGACY: grafana_legacy.read,
}
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def parse_notification(
    body: bytes, *, source: str, content_type: str, received_at: datetime
) -> Notification:
    """What a sender told us, in whichever of the three formats it was told.

    `source` names the configured sender, `received_at` is when the request came in (aware).
    Raises PayloadRefused: 415 for another content type, 422 for a body that can never be
    understood. One bad alert is quarantined in the Notification and raises nothing.
    """
    _require_json(content_type)
    document = decode(body)
    return _READERS[detect(document.payload)](document, Delivery(source, received_at))


def _require_json(content_type: str) -> None:
    """No content type at all is taken for JSON: the parser will tell."""
    if content_type in {"application/json", ""}:
        return
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if not _is_json(media_type):
        raise PayloadRefused(
            415, f"The content type {shown(content_type)} is not application/json."
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in _CHARSETS:
            raise PayloadRefused(415, f"JSON is read as UTF-8 only, not {shown(value)}.")


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
