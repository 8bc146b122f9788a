"""DigitalOcean droplets: one server and its size."""

from service.catalogue.droplet.kind import KIND

__all__ = ["KIND"]
