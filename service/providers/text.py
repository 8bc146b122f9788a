"""Text as Slack takes it, cut to its limits, so that a long label never costs a whole message."""

from __future__ import annotations

import re

from service.domain.text import visible

_PART_OF_AN_ENTITY = re.compile(r"&[a-z]{0,3}$")


def slack_text(text: str, limit: int) -> str:
    """`text` as Slack shows it literally (& < > escaped: no mention, no link; nothing in it turns
    the direction of writing), within `limit`.

    A cut never leaves half of an escape behind.
    """
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return cut_escaped(escaped, limit)


def cut_escaped(escaped: str, limit: int) -> str:
    """What `slack_text` made, within a smaller limit."""
    if len(escaped) <= limit:
        return escaped
    return _PART_OF_AN_ENTITY.sub("", escaped[: limit - 1]) + "…"
