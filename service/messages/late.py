"""What is said of messages that had to wait. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from service.domain.durations import moment
from service.ports import Message

LATE_S = 60.0
"""Seconds after which a message says that it comes late."""
DIGEST_MOST = 30
"""Messages of one digest: Slack shows the name of each, and the text of the first."""
_SHOWN = 10
_TEXT, _TITLE = 300, 80
"""Characters of a text and of a name, so that all of them fit."""


def told_late(message: Message, since: float, now: float) -> Message:
    """The message as it is told at `now`, of what was to be told at `since` (seconds since the
    epoch)."""
    if now - since < LATE_S:
        return message
    late = f"Told late: Slack took no messages {moment(since, now)}."
    return replace(message, context=f"{late} {message.context}".rstrip())


def digest(messages: Sequence[Message]) -> Message:
    """Several messages that had to wait, at most DIGEST_MOST of them, as one."""
    shown = [
        (_cut(each.title or "Message", _TITLE), _cut(each.text, _TEXT))
        for each in messages[:_SHOWN]
    ]
    lines = [f"{len(messages)} messages could not be told at once, and are told together."]
    lines += [f"• {_cut(each.title, _TITLE)}" for each in messages[_SHOWN:]]
    links = tuple(dict.fromkeys(link for each in messages[:_SHOWN] for link in each.links))
    return Message(
        title=f"{len(messages)} messages that had to wait",
        text="\n".join(lines),
        fields=shown,
        context="See what was done: `runbookd runs`, `runbookd alerts`.",
        links=links,
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
