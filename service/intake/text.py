"""Strings from strangers: described, cut and shown without harm.

Nothing here raises, whatever it is given, because it runs while a refusal is being worded.
"""

from __future__ import annotations

import re

from pydantic_core import to_json

MAX_RAW_BYTES = 64 * 1024
"""How much of a quarantined alert is kept: 64 KiB holds any real one, and 16 MiB of bad alerts
can't fill the store twice over."""

REPLACEMENT = "\ufffd"
"""What stands for a character that no store takes: Unicode's own replacement character."""

_SHOWN = 80
_QUOTED_META = re.compile(r"\\([\\.+*?()|\[\]{}^$])")


def described(value: object) -> str:
    """What a JSON value is, as a noun for a sentence: "a number", "null", "a list"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def shown(text: str) -> str:
    """A stranger's text as a sentence may carry it: quoted, escaped, at most 80 characters."""
    return ascii(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def as_json(value: object) -> str:
    """The value as JSON text (NaN and infinities as null), cut to 64 KiB."""
    encoded = to_json(value, inf_nan_mode="null")
    return encoded[:MAX_RAW_BYTES].decode("utf-8", "ignore")


def unescaped(receiver: str) -> str:
    r"""The receiver's name as people wrote it: senders escape it as a regular expression.

    `web\.hook` arrives for a receiver named `web.hook` (wire contract, Alertmanager).
    """
    return _QUOTED_META.sub(r"\1", receiver) if "\\" in receiver else receiver


def linkable(url: str) -> bool:
    """Whether a link may be made of it: only http and https, never javascript or file."""
    return url.startswith(("https://", "http://"))
