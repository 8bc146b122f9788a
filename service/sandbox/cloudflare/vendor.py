"""Cloudflare's API about zones, and the edge in front of a site."""

from __future__ import annotations

from service.sandbox.cloudflare import common, edge, levels, purge, rulesets, zones
from service.sandbox.core.vendors import Vendor

VENDOR = Vendor(
    zones.ROUTES + purge.ROUTES + rulesets.ROUTES + levels.ROUTES + edge.ROUTES,
    None,  # visitors of the edge have no token; the API's own operations ask for one
    common.no_such_operation,
    common.forbidden,
)
