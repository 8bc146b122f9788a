"""Slack: what a message is, and what is asked of the messenger.

Every method raises `service.domain.errors.VendorError`, and nothing of an SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MessageRef:
    """Where a message is, so that it can be edited and answered in its thread."""

    channel: str
    ts: str


def in_channel(channel: str) -> MessageRef:
    """For `Messenger.post`: a new message in this channel, in no thread."""
    return MessageRef(channel, "")


@dataclass(frozen=True, slots=True)
class Message:
    """A chat message: `text` is what a notification and a plain client show.

    `fields` are short label/value pairs, `context` a last small line. `links` are (href, text)
    pairs: nothing else in a message becomes a link. `buttons` are (label, action, value) of what a
    person can press; they are left out where nobody could take the press.
    """

    title: str
    text: str
    fields: Sequence[tuple[str, str]] = ()
    context: str = ""
    links: Sequence[tuple[str, str]] = ()
    buttons: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG: its file's name, what people read beside it, and its bytes."""

    name: str
    title: str
    content: bytes


class Messenger(Protocol):
    """Slack: posts messages, edits its own, and shows pictures in their threads."""

    def post(self, message: Message, thread: MessageRef | None = None) -> MessageRef:
        """Post, in a thread where one is given, or in another channel (`in_channel`)."""
        ...

    def update(self, ref: MessageRef, message: Message) -> None:
        """Replace a message by another."""
        ...

    def picture(self, thread: MessageRef, picture: Picture) -> None:
        """Upload a picture, and show it in the thread of a message. A repeat shows it twice."""
        ...
