"""PagerDuty's Events API. The sandbox accepts any routing key of the right length."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.pagerduty import events

VENDOR = Vendor(
    events.ROUTES,
    None,
    events.no_such_operation,
)
