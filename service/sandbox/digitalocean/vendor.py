"""DigitalOcean: its account, apps, droplets, managed databases, and the bill."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.digitalocean import apps, billing, databases, droplets, routes

VENDOR = Vendor(
    routes.ROUTES + apps.ROUTES + droplets.ROUTES + databases.ROUTES + billing.ROUTES,
    routes.UNAUTHORIZED,
    routes.no_such_operation,
    routes.forbidden,
)
