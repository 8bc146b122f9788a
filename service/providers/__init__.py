"""The vendors, one module per SDK: time-outs, and errors translated into our own.

Nothing here decides anything. Each adapter implements a protocol of `service.ports`, asks its
vendor once per call, and raises only `service.domain.errors.VendorError`. Retries belong to
`service.retry`, which knows what is safe to repeat. An SDK is imported in its one module
and nowhere else.
"""
