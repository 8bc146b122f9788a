"""The application's own cache, a Redis or Valkey: how it caches, and what is in it."""

from service.catalogue.cache.kind import KIND

__all__ = ["KIND"]
