"""DigitalOcean: its account, apps and droplets."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.digitalocean import apps, droplets, routes

VENDOR = Vendor(
    routes.ROUTES + apps.ROUTES + droplets.ROUTES,
    routes.UNAUTHORIZED,
    routes.no_such_operation,
    routes.forbidden,
)
