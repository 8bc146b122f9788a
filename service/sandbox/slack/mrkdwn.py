"""Finds in a message's blocks what Slack would make a mention or a link.

Slack always parses text in angle brackets. Without `verbatim: true` it also looks for bare
addresses, channel names and mentions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from service.sandbox.core.wire import Json

_BRACKETED = re.compile(r"<([^<>]+)>")
_BARE_MENTION = re.compile(r"(?<![\w<])(?:@(?:channel|here|everyone)|#[a-z0-9][a-z0-9_-]*)\b")
_BARE_LINK = re.compile(r"(?<![<\w])https?://[^\s<>|]+")


def mentions(blocks: list[Any]) -> list[str]:
    """The people who are notified, and the channels that are linked."""
    return [each for each in _parsed(blocks) if not each.startswith(("http://", "https://"))]


def links(blocks: list[Any]) -> list[str]:
    """The addresses that can be clicked."""
    return [each for each in _parsed(blocks) if each.startswith(("http://", "https://"))]


def _parsed(blocks: list[Any]) -> Iterator[str]:
    for text in _mrkdwn(blocks):
        words = str(text.get("text") or "")
        for found in _BRACKETED.findall(words):
            yield _unescaped(found.partition("|")[0])
        if text.get("verbatim") is not True:
            yield from _BARE_MENTION.findall(words)
            yield from (_unescaped(link) for link in _BARE_LINK.findall(words))


def _mrkdwn(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for one in value:
            yield from _mrkdwn(one)
    elif isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value
        for one in value.values():
            yield from _mrkdwn(one)


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
