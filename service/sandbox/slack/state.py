"""Slack's state: channels, and the messages in them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from service.sandbox.core.wire import Json
from service.sandbox.slack import mrkdwn as slack_mrkdwn

BOT_USER = "U0RUNBOOKD"

_ID = re.compile(r"[CDG][A-Z0-9]{2,}")
_NAME = re.compile(r"#?[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(slots=True)
class Message:
    """One message in a channel. `ts` identifies it there."""

    channel: str
    channel_name: str
    ts: str
    thread_ts: str | None
    text: str
    blocks: list[Any]
    user: str = BOT_USER
    edited: bool = False
    ephemeral: bool = False
    reactions: list[str] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Upload:
    """A file that was announced. `content` is None until it has come; `shared` is whether a message
    shows it."""

    id: str
    secret: str
    name: str
    length: int
    content: bytes | None = None
    shared: bool = False


@dataclass(slots=True)
class Answerable:
    """What a `response_url` is about: a message, since when, and how often it was used."""

    message: Message
    since: float
    uses: int = 0


@dataclass(slots=True)
class Workspace:
    """All messages, in the order of posting.

    `channels` are the names of the channels that exist, and `member_of` those of the channels that
    the bot may post to. None means any.
    """

    messages: list[Message] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    last_micros: int = 0
    channels: frozenset[str] | None = None
    member_of: frozenset[str] | None = None
    response_urls: dict[str, Answerable] = field(default_factory=dict)

    def refuses(self, channel: str) -> str:
        """Slack's word for why the bot cannot post to a channel. Empty if it can."""
        for names, refusal in (
            (self.channels, "channel_not_found"),
            (self.member_of, "not_in_channel"),
        ):
            if names is not None and channel_id(channel) not in map(channel_id, names):
                return refusal
        return ""

    def next_ts(self, now: float) -> str:
        """A timestamp that no message has yet. It identifies a message."""
        self.last_micros = max(round(now * 1_000_000), self.last_micros + 1)
        return f"{self.last_micros // 1_000_000}.{self.last_micros % 1_000_000:06d}"

    def announce(self, name: str, length: int) -> Upload:
        """A new upload, with an id and an address of its own."""
        number = len(self.uploads) + 1
        secret = hashlib.sha256(f"upload {number}".encode()).hexdigest()[:32]
        self.uploads.append(Upload(f"F{number:010d}", secret, name, length))
        return self.uploads[-1]

    def find(self, channel: str, ts: str) -> Message | None:
        """The message with this timestamp in this channel."""
        return next((one for one in self.messages if one.ts == ts and one.channel == channel), None)


def message_json(message: Message) -> Json:
    """A message for `GET /_sandbox/state`, with its mentions and links."""
    return {
        "channel": message.channel,
        "channel_name": message.channel_name,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "text": message.text,
        "blocks": message.blocks,
        "mentions": slack_mrkdwn.mentions(message.blocks),
        "links": slack_mrkdwn.links(message.blocks),
        "edited": message.edited,
        "user": message.user,
        "ephemeral": message.ephemeral,
        "reactions": message.reactions,
        "files": message.files,
    }


def is_channel(channel: Any) -> bool:
    """Whether this can be a channel's id or name."""
    return isinstance(channel, str) and bool(_ID.fullmatch(channel) or _NAME.fullmatch(channel))


def channel_id(channel: str) -> str:
    """The id of a channel that is given by name or id. A name always has the same id."""
    if _ID.fullmatch(channel):
        return channel
    digest = hashlib.sha256(channel.lstrip("#").encode()).hexdigest()
    return f"C{digest[:10].upper()}"
