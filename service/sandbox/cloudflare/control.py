"""`POST /_sandbox/cloudflare`: sets the zone's plan, whether it serves, and what purges do."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.cloudflare.levels import LEVELS
from service.sandbox.cloudflare.zone import BUCKETS, Zone
from service.sandbox.core.wire import Json, one_of

STATUSES = ("initializing", "pending", "active", "moved")
MOST_DEAF = 1000
FIRST_STATUS, LAST_STATUS = 200, 599
_FIELDS = ("plan", "status", "paused", "deaf", "cache_level", "cache_level_editable", "origin")


class CloudflareControlError(ValueError):
    """Why a change of the zone is refused, in one sentence."""


def zone_json(cloud: Cloud) -> Json:
    """The zone as it is."""
    zone = cloud.state(Zone)
    return {
        "name": zone.name,
        "plan": zone.plan,
        "status": zone.status,
        "paused": zone.paused,
        "deaf": zone.deaf,
        "copies": sorted(zone.copies),
        "purges": zone.purges,
        "rules": zone.rules,
        "rules_version": zone.rules_version,
        "cache_level": zone.level,
        "cache_level_editable": zone.level_editable,
        "origin": zone.origin,
    }


def _origin(given: Any) -> dict[str, dict[str, Any]]:
    """What the site's own server answers, by path."""
    if not isinstance(given, dict) or not all(map(_is_answer, given.values())):
        raise CloudflareControlError(
            "origin must map paths to status and headers, such as "
            '{"/me": {"status": 200, "headers": {"Cache-Control": "private"}}}.'
        )
    return given


def _is_answer(given: Any) -> bool:
    if not isinstance(given, dict) or not set(given) <= {"status", "headers"}:
        return False
    status, headers = given.get("status", 200), given.get("headers", {})
    texts = isinstance(headers, dict) and all(isinstance(each, str) for each in headers.values())
    return texts and type(status) is int and FIRST_STATUS <= status <= LAST_STATUS


def change_zone(cloud: Cloud, body: Any, _now: float) -> None:
    """Set everything that the body names, or nothing if a value is wrong.

    `deaf` is how many of the next purges are taken and have no effect.

    Raises:
        CloudflareControlError: the body makes no sense.
    """
    if not isinstance(body, dict) or not body or not set(body) <= set(_FIELDS):
        raise CloudflareControlError(f"The body sets {' or '.join(_FIELDS)}.")
    zone = cloud.state(Zone)
    plan, status = body.get("plan", zone.plan), body.get("status", zone.status)
    paused, deaf = body.get("paused", zone.paused), body.get("deaf", zone.deaf)
    if not one_of(plan, BUCKETS):
        raise CloudflareControlError(f"plan must be one of {', '.join(BUCKETS)}.")
    if not one_of(status, STATUSES):
        raise CloudflareControlError(f"status must be one of {', '.join(STATUSES)}.")
    if not isinstance(paused, bool):
        raise CloudflareControlError("paused must be true or false.")
    if type(deaf) is not int or not 0 <= deaf <= MOST_DEAF:
        raise CloudflareControlError(f"deaf must be a whole number from 0 to {MOST_DEAF}.")
    level = body.get("cache_level", zone.level)
    editable = body.get("cache_level_editable", zone.level_editable)
    if not one_of(level, LEVELS):
        raise CloudflareControlError(f"cache_level must be one of {', '.join(LEVELS)}.")
    if not isinstance(editable, bool):
        raise CloudflareControlError("cache_level_editable must be true or false.")
    origin = _origin(body.get("origin", zone.origin))
    if plan != zone.plan:
        zone.bucket = None
    zone.plan, zone.status, zone.paused, zone.deaf = plan, status, paused, deaf
    zone.level, zone.level_editable, zone.origin = level, editable, origin
