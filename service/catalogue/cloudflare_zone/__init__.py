"""Cloudflare: a zone, and what its edge has cached of it."""

from service.catalogue.cloudflare_zone.kind import KIND

__all__ = ["KIND"]
