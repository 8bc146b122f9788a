"""The vendors, one module per SDK, with time-outs and with errors translated into our own.

Nothing here decides anything. Each provider implements a protocol of `service.ports`, sends one
request per call, and raises only `service.domain.errors.VendorError`. Retries belong to
`service.retry`, which knows what is safe to repeat. An SDK is imported in its one module and
nowhere else.
"""
