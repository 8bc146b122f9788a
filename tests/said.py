"""What the sandbox's Slack shows, as a person reads it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from tests.stack import Json, Stack


def messages(stack: Stack) -> list[str]:
    """What each message in Slack says, the oldest first."""
    return [
        html.unescape(" ".join(_plain(text) for text in _texts(each["blocks"])))
        for each in stack.state()["slack"]["messages"]
    ]


def field_of(message: Json, words: str) -> str:
    """What a message of the sandbox's state says in the field of this name; empty without one."""
    found = (text.partition("\n") for text in _texts(message["blocks"]))
    named = (said for name, _, said in found if name == f"*{words}*")
    return html.unescape(next(named, ""))


def _plain(text: str) -> str:
    return text.replace("*", "").replace("\n", " ")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name in ("text", "elements", "fields"):
            if isinstance(found := value.get(name), str):
                yield found
            else:
                yield from _texts(found)
