"""DigitalOcean: its account, apps, droplets and managed databases."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.digitalocean import apps, databases, droplets, routes

VENDOR = Vendor(
    routes.ROUTES + apps.ROUTES + droplets.ROUTES + databases.ROUTES,
    routes.UNAUTHORIZED,
    routes.no_such_operation,
    routes.forbidden,
)
