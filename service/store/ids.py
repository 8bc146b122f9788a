"""Ids that sort by time, unique across processes, made without asking the database."""

from __future__ import annotations

import itertools
import secrets
import time

_process = secrets.token_hex(4)
_serial = itertools.count()


def new_id(prefix: str) -> str:
    """`prefix-` and 24 hexadecimal digits: milliseconds, a serial number, this process."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}-{milliseconds:011x}{next(_serial) & 0xFFFFF:05x}{_process}"
