"""A cluster of Valkey or Redis nodes that people run: its memory, eviction policy and shards."""

from service.catalogue.valkey_cluster.kind import KIND

__all__ = ["KIND"]
