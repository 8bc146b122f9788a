"""Text for Slack, escaped and cut to its limits, so that a long label never costs a whole
message."""

from __future__ import annotations

import re

from service.domain.text import visible

_PART_OF_AN_ENTITY = re.compile(r"&[a-z]{0,3}$")


def slack_text(text: str, limit: int) -> str:
    """`text` such that Slack shows it literally, in at most `limit` characters.

    & < > are escaped, so that nothing becomes a mention or a link. Characters that change the
    direction of writing are made visible. A cut never leaves half of an escape.
    """
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return cut_escaped(escaped, limit)


def cut_escaped(escaped: str, limit: int) -> str:
    """The result of `slack_text`, cut to a smaller limit."""
    if len(escaped) <= limit:
        return escaped
    return _PART_OF_AN_ENTITY.sub("", escaped[: limit - 1]) + "…"
