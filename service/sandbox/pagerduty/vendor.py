"""PagerDuty's Events API, which takes any routing key."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.pagerduty import events

VENDOR = Vendor(
    events.ROUTES,
    None,
    events.no_such_operation,
)
