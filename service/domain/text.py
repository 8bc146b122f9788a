"""Strangers' text as a person may see it: nothing in it steers, hides or reorders what is shown.

A label may hold a control character that clears a terminal, or a character that turns the writing
direction, so that one cell of a table reads as another. All of them are shown as escapes. Letters
of any script stay as they are.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\u200b\u2028\u2029\u2060\ufeff"  # no width, or a line's end to some programs
    "\ud800-\udfff"  # halves of characters, which no output can write
    "\U000e0000-\U000e007f"  # tags, which nothing shows
    "]"
)


def visible(text: str) -> str:
    r"""The text with every unseen character as JSON escapes it: `\u202e`.

    So JSON text stays the same JSON, and plain text shows what it holds.
    """
    return _UNSEEN.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same in one line: for titles and cells, where a line feed would forge another."""
    return visible(" ".join(text.split()))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis in place of the rest."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x10000:  # noqa: PLR2004 - JSON escapes what is above by two halves
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
