"""Reads a small file that a rule file names, from the rule file's own folder and nowhere else."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""A path of plain names below the folder: none begins with a dot, so none leads upwards."""


class NotBeside(ValueError):  # noqa: N818 - a fact about a file, told as it is
    """Why the file is not read, in one sentence."""


def read_beside(folder: Path, name: str, most: int) -> bytes:
    """The bytes of the file `name` below `folder`, at most `most` of them.

    Raises:
        NotBeside: it lies elsewhere, also by a link, or is no plain file, too large or unreadable.
    """
    if not _NAME.fullmatch(name):
        raise NotBeside(
            f"{name!r} must be a path below the rule file's folder, of letters, digits, - _ and ., "
            "such as emergency/static.html."
        )
    try:
        home = folder.resolve(strict=True)
        found = (home / name).resolve(strict=True)
        if not found.is_relative_to(home):
            raise NotBeside(f"{name} leads out of the rule file's folder by a link.")
        return _read(found, name, most)
    except OSError as problem:
        raise NotBeside(f"{name} cannot be read: {problem.strerror or problem}.") from problem
    except RuntimeError as problem:  # of links in a circle, before Python 3.13
        raise NotBeside(f"{name} is a link that leads to itself.") from problem


def _read(path: Path, name: str, most: int) -> bytes:
    # A pipe would hold the check for ever, so nothing is waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotBeside(f"{name} is no plain file.")
        body = os.read(descriptor, most + 1)
    finally:
        os.close(descriptor)
    if len(body) > most:
        raise NotBeside(f"{name} has more than {most:,} bytes.")
    return body
