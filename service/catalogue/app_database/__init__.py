"""The application's own PostgreSQL: its sessions, indexes and settings."""

from service.catalogue.app_database.kind import KIND

__all__ = ["KIND"]
