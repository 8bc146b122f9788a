"""Ids that sort by time, unique across processes, made without asking the database."""

from __future__ import annotations

import itertools
import os
import secrets
import time


class IdMaker:
    """Makes the ids of one process; a fork of it makes others."""

    def __init__(self) -> None:
        self._serial = itertools.count()
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def __call__(self, prefix: str) -> str:
        """`prefix-` and 24 hexadecimal digits: milliseconds, a serial number, this process."""
        milliseconds = time.time_ns() // 1_000_000
        return f"{prefix}-{milliseconds:011x}{next(self._serial) & 0xFFFFF:05x}{self._process}"

    def _begin(self) -> None:
        self._process = secrets.token_hex(4)


new_id = IdMaker()
"""The ids of this process."""
