"""DigitalOcean App Platform: components of an app, their count and their size."""

from service.catalogue.app_platform.kind import KIND

__all__ = ["KIND"]
