"""Why `runbookd dev` does not start, told as it is to whoever typed it."""

from __future__ import annotations


class DevRefused(Exception):  # noqa: N818 - told to the person at the terminal as it is
    """The development service cannot start; the message says why and what to do."""
