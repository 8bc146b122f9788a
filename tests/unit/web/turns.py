"""What makes a greenlet wait for the loop as a request does."""

from __future__ import annotations

import os

from service.web.concurrency import Greenlets


def read_a_pipe(greenlets: Greenlets) -> None:
    """Go on once the loop has seen that something is there to read, which it is at once."""
    reading, writing = os.pipe()
    os.write(writing, b"x")
    greenlets.until_ready(reading, read=True, write=False)
    os.close(reading)
    os.close(writing)
