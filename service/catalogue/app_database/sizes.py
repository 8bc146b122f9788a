"""Sizes as PostgreSQL writes them: `16MB`, `4GB`. Pure."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

A_SIZE = "a size with its unit, such as 16MB or 4GB"
_SIZE = re.compile(r"([1-9][0-9]{0,8}|0)(kB|MB|GB|TB)")
_UNITS = {"kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


def is_size(text: str) -> bool:
    """Whether it is a size that is more than nothing."""
    return _SIZE.fullmatch(text) is not None and not text.startswith("0")


def in_bytes(text: str) -> int:
    """How many bytes it is.

    Raises:
        ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size")
    return int(found.group(1)) * _UNITS[found.group(2)]


def _checked(text: str) -> str:
    if not is_size(text):
        raise ValueError("no size")
    return text


Size = Annotated[str, AfterValidator(_checked)]
