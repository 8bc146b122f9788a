"""What is said of messages that had to wait. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from service.domain.durations import moment
from service.ports import Message

LATE_S = 60.0
"""Seconds after which a message says that it comes late."""
_SHOWN = 10
"""Messages of a digest that are shown with their text; the others are named, then counted."""
_NAMED = 40
_TEXT = 300


def told_late(message: Message, since: float, now: float) -> Message:
    """The message as it is told at `now`, of what was to be told at `since` (seconds since the
    epoch)."""
    if now - since < LATE_S:
        return message
    late = f"Told late: Slack took no messages {moment(since, now)}."
    return replace(message, context=f"{late} {message.context}".rstrip())


def digest(messages: Sequence[Message]) -> Message:
    """Several messages that had to wait, as one."""
    shown = [(each.title or "Message", _cut(each.text)) for each in messages[:_SHOWN]]
    named = messages[_SHOWN : _SHOWN + _NAMED]
    left = len(messages) - _SHOWN - len(named)
    lines = [f"{len(messages)} messages could not be told at once, and are told together."]
    lines += [f"• {each.title}" for each in named]
    if left > 0:
        lines.append(f"… and {left} more: `runbookd runs --action investigate`.")
    links = tuple(dict.fromkeys(link for each in messages[:_SHOWN] for link in each.links))
    return Message(
        title=f"{len(messages)} messages that had to wait",
        text="\n".join(lines),
        fields=shown,
        links=links,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"
