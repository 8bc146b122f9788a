"""Balloons."""

from service.catalogue.toy.kind import KIND

__all__ = ["KIND"]
