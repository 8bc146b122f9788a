"""Cloudflare's zones, in the shape of its API reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.cloudflare.common import ONE, Args, success, with_token, zone_of
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

_PLAN_NAMES = {
    "free": "Free Website",
    "pro": "Pro Website",
    "business": "Business Website",
    "enterprise": "Enterprise Website",
}


def get_zone(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /client/v4/zones/{zone_id}."""
    zone = zone_of(cloud, args)
    return success(
        {
            "id": cloud.config.cloudflare_zone,
            "name": zone.name,
            "status": zone.status,
            "paused": zone.paused,
            "type": "full",
            "development_mode": 0,
            "plan": {
                "legacy_id": zone.plan,
                "name": _PLAN_NAMES[zone.plan],
            },
        }
    )


ROUTES = (Route("GET", ONE, with_token(get_zone), ("Zone Read",)),)
