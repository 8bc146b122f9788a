"""POST /client/v4/zones/{zone_id}/purge_cache, with the limits of the zone's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.sandbox.cloudflare.common import ONE, Args, refusal, success, with_token, zone_of
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, as_object

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

LISTS = ("files", "tags", "hosts", "prefixes")
MOST = 100
"""Entries of one request. Addresses on the plan Enterprise: 500."""
_MOST_FILES = {"enterprise": 500}


def purge(cloud: Cloud, call: Call, args: Args) -> Answer:
    """Remove from the edge what the body names: one list of entries, or everything."""
    zone = zone_of(cloud, args)
    by, entries = _asked(as_object(call.body), zone.plan)
    if cloud.config.rate_limits and by != "files" and not zone.may_purge(call.now):
        raise refusal(
            429,
            1134,
            "Unable to purge, rate limit reached. Please wait and consider throttling your "
            "request speed",
        )
    zone.purge(by, entries)
    return success({"id": cloud.config.cloudflare_zone})


def _asked(body: dict[str, Any], plan: str) -> tuple[str, list[str]]:
    named = [each for each in LISTS if each in body]
    if body.get("purge_everything") is True:
        if named:
            raise refusal(
                400,
                1092,
                'Request cannot contain "purge_everything" and any of "files", "tags", "hosts" or '
                '"prefixes"',
            )
        return "everything", []
    if not named:
        raise refusal(
            400,
            1012,
            'Request must contain one of "purge_everything", "files", "tags", "hosts" '
            'or "prefixes"',
        )
    if len(named) > 1:
        raise refusal(400, 1012, f"Request can contain one list only, not {' and '.join(named)}")
    entries = body[named[0]]
    if not isinstance(entries, list) or not all(isinstance(each, str) for each in entries):
        raise refusal(400, 1012, f'"{named[0]}" must be a list of strings')
    most = _MOST_FILES.get(plan, MOST) if named[0] == "files" else MOST
    if not 0 < len(entries) <= most:
        raise refusal(400, 1094, f'"{named[0]}" must have 1 to {most} entries')
    return named[0], entries


ROUTES = (Route("POST", f"{ONE}/purge_cache", with_token(purge), ("Cache Purge",)),)
