"""Spaces, DigitalOcean's store of objects, which speaks S3."""
