"""nginx: a file that balances requests over servers."""

from service.catalogue.nginx.kind import KIND

__all__ = ["KIND"]
