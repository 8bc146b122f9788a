"""Supabase's management API: projects, add-ons, databases."""

from __future__ import annotations

from service.sandbox.core.vendors import Vendor
from service.sandbox.supabase import addons, common, database, databases, projects

VENDOR = Vendor(
    projects.ROUTES + addons.ROUTES + database.ROUTES + databases.ROUTES,
    common.UNAUTHORIZED,
    common.no_such_operation,
    common.forbidden,
)
