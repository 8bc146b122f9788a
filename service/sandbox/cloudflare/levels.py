"""The zone's setting cache_level, in the shape of Cloudflare's API reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.sandbox.cloudflare.common import ONE, Args, refusal, success, with_token, zone_of
from service.sandbox.cloudflare.zone import Zone
from service.sandbox.core.clock import iso_seconds
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, as_object

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

LEVELS = ("aggressive", "basic", "simplified")


def get_level(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET …/settings/cache_level."""
    return success(_setting(zone_of(cloud, args)))


def patch_level(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PATCH …/settings/cache_level: the value, and nothing else of the zone."""
    zone, body = zone_of(cloud, args), as_object(call.body)
    if body.get("value") not in LEVELS:
        raise refusal(400, 1007, "Invalid value for zone setting cache_level")
    if not zone.level_editable:
        raise refusal(403, 1015, "Not allowed to edit setting for cache_level")
    zone.level, zone.level_changed = body["value"], call.now
    return success(_setting(zone))


def _setting(zone: Zone) -> dict[str, Any]:
    changed = zone.level_changed
    return {
        "id": "cache_level",
        "value": zone.level,
        "editable": zone.level_editable,
        "modified_on": None if changed is None else iso_seconds(changed),
    }


_PATH = f"{ONE}/settings/cache_level"
ROUTES = (
    Route("GET", _PATH, with_token(get_level), ("Zone Settings Read",)),
    Route("PATCH", _PATH, with_token(patch_level), ("Zone Settings Write",)),
)
