"""A line in the log for each call to a vendor, with the ids of the run that makes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from service.domain.errors import VendorError
from service.providers.errors import Call

_log = structlog.get_logger(__name__)


@contextmanager
def told(call: Call) -> Iterator[None]:
    """Log how a call ended and how long it took, in milliseconds.

    A write is logged at info. What may be repeated, such as the reads with which a run waits, is
    logged at debug: there are many. The worker has bound the ids of the run
    (`service.engine.execution`), so they are on the line too.
    """
    began = time.monotonic()
    outcome = "answered"
    try:
        yield
    except VendorError as error:
        outcome = f"failed ({error.kind})"
        raise
    finally:
        log = _log.debug if call.repeatable else _log.info
        took_ms = round((time.monotonic() - began) * 1000)
        log(
            "vendor_called",
            vendor=call.vendor,
            operation=call.operation,
            outcome=outcome,
            ms=took_ms,
        )
