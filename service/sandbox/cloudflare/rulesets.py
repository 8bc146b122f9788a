"""The zone's cache rules: the entry point of Cloudflare's phase http_request_cache_settings."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from service.sandbox.cloudflare.common import ONE, Args, refusal, success, with_token, zone_of
from service.sandbox.cloudflare.zone import Zone
from service.sandbox.core.clock import iso_seconds
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, as_object

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

PHASE = "http_request_cache_settings"
MOST = {"free": 10, "pro": 25, "business": 50, "enterprise": 300}
LEAST_S = {"free": 7200, "pro": 3600}
"""Cache rules, and the shortest time at the edge and in browsers, by plan (Cloudflare's
documentation, Edge and Browser Cache TTL)."""
_TAKES = {"rules", "description"}
_FIELDS = {
    "id",
    "ref",
    "expression",
    "action",
    "action_parameters",
    "description",
    "enabled",
    "logging",
}


def get_rules(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET …/entrypoint. A zone that has never had a rule has no list."""
    zone = zone_of(cloud, args)
    if not zone.rules_version:
        raise refusal(404, 10003, f"could not find entrypoint ruleset in the {PHASE} phase")
    return success(_ruleset(zone))


def put_rules(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PUT …/entrypoint: these rules replace all that there are, and make a new version."""
    zone, body = zone_of(cloud, args), as_object(call.body)
    if unknown := sorted(set(body) - _TAKES):
        raise refusal(400, 20015, f'invalid JSON: unknown field "{unknown[0]}"')
    given = body.get("rules")
    if not isinstance(given, list):
        raise refusal(400, 20015, "invalid JSON: rules must be a list")
    if len(given) > MOST[zone.plan]:
        raise refusal(
            400, 20023, f"exceeded maximum number of rules in the phase {PHASE}: {MOST[zone.plan]}"
        )
    made = [_rule(as_object(rule), zone, call.now) for rule in given]
    refs = [rule["ref"] for rule in made]
    if len(refs) != len(set(refs)):
        raise refusal(400, 20025, "duplicate rule ref")
    zone.rules, zone.rules_version = made, zone.rules_version + 1
    return success(_ruleset(zone))


def _rule(given: dict[str, Any], zone: Zone, now: float) -> dict[str, Any]:
    if unknown := sorted(set(given) - _FIELDS):
        raise refusal(400, 20015, f'invalid JSON: unknown field "{unknown[0]}"')
    if given.get("action") != "set_cache_settings" or not given.get("expression"):
        raise refusal(400, 20016, "a rule of this phase needs an expression and set_cache_settings")
    for key in ("edge_ttl", "browser_ttl"):
        ttl, least = as_object(as_object(given.get("action_parameters")).get(key)), LEAST_S
        if ttl.get("mode") == "override_origin" and ttl.get("default", 0) < least.get(zone.plan, 1):
            raise refusal(400, 20100, f"{key} is too short for plan {zone.plan}")
    known = next((rule for rule in zone.rules if rule["id"] == given.get("id")), None)
    made_id = known["id"] if known else uuid.uuid4().hex
    asked = {key: value for key, value in given.items() if key != "id"}
    return {
        "id": made_id,
        "ref": made_id,
        "enabled": True,
        "version": str(int(known["version"]) + 1 if known else 1),
        "last_updated": iso_seconds(now),
        **asked,
    }


def _ruleset(zone: Zone) -> dict[str, Any]:
    return {
        "id": "70339d97bdb34195bbf054b1ebe81f76",
        "name": "default",
        "kind": "zone",
        "phase": PHASE,
        "version": str(zone.rules_version),
        "rules": zone.rules,
    }


_PATH = f"{ONE}/rulesets/phases/{PHASE}/entrypoint"
ROUTES = (
    Route("GET", _PATH, with_token(get_rules), ("Cache Settings Read",)),
    Route("PUT", _PATH, with_token(put_rules), ("Cache Settings Write",)),
)
