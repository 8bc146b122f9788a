"""The account at DigitalOcean, of which what is unused can be removed."""

from service.catalogue.digitalocean_account.kind import KIND

__all__ = ["KIND"]
