"""Supabase: a project and the size of its database."""

from service.catalogue.supabase.kind import KIND

__all__ = ["KIND"]
