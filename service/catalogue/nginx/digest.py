"""Tells files apart by a hash, and those of runbookd from those that people have changed. Pure."""

from __future__ import annotations

import hashlib
import re

DIGEST_LENGTH = 16
"""Characters of a file's hash: enough to tell files apart, and short enough for a message."""
NO_FILE = "none"
"""What stands for the digest where there is no file."""
_MARK = re.compile(r"^# runbookd-file: ([0-9a-f]{16})$", re.MULTILINE)


def digest_of(text: str) -> str:
    """The hash of a text that tells it from others."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def made_by_runbookd(text: str) -> str | None:
    """The digest of a file that runbookd has made, None where anybody has changed it since."""
    found = _MARK.search(text)
    if found is None or digest_of(text.replace(found[1], "")) != found[1]:
        return None
    return found[1]


def digest_on_disk(text: str) -> str:
    """The digest of any file: its mark where runbookd has made it, else the hash of its text."""
    return made_by_runbookd(text) or digest_of(text)
