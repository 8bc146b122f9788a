"""Slack's Web API."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.slack import api

VENDOR = Vendor(
    api.ROUTES,
    api.UNAUTHORIZED,
    api.no_such_operation,
    api.forbidden,
    api.unknown_token(),
)
