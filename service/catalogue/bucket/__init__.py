"""Named objects in a bucket of Spaces, or of another store that speaks S3."""

from service.catalogue.bucket.kind import KIND

__all__ = ["KIND"]
