"""Slack's Web API."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.slack import api, files

VENDOR = Vendor(
    (*api.ROUTES, *files.ROUTES),
    api.UNAUTHORIZED,
    api.no_such_operation,
    api.forbidden,
    api.unknown_token(),
)
