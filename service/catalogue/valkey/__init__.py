"""Managed Valkey: a cluster, its size, its standbys and its eviction policy."""

from service.catalogue.valkey.kind import KIND

__all__ = ["KIND"]
