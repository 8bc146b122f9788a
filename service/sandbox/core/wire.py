"""One vendor call and its answer, free of any web framework: what every vendor module speaks."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the vendor would see it: `path` is the vendor's own, without our prefix.

    `raw` is the body's bytes, `body` the same read as JSON or form (None when empty or unreadable),
    `token` the bearer token or the empty string, `base_url` what links in answers begin with.
    `outcome` is how a fault wants the action to end that this call begins; empty: as asked.
    """

    vendor: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Any
    raw: bytes
    token: str
    base_url: str
    now: float
    outcome: str = ""

    def first(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        values = self.query.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. A `body` of None is an empty one; `refused` marks a refusal sent as 200."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False

    @property
    def acted(self) -> bool:
        """Whether the vendor did what it was asked."""
        return self.status < 400 and not self.refused  # noqa: PLR2004 - HTTP's own boundary


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of the program
    """A vendor's refusal, raised where it is found and answered by the dispatcher."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


def as_object(body: Any) -> Json:
    """The body as a JSON object; anything else counts as an empty one."""
    return body if isinstance(body, dict) else {}


def one_of(value: Any, allowed: Container[str]) -> bool:
    """Whether a value out of a body is one of these words; anything but a string is not."""
    return isinstance(value, str) and value in allowed


def whole_number(text: str) -> int | None:
    """A number out of a path or query; None for what is none or too long to be one."""
    return (
        int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None
    )


LONGEST_NUMBER = 18
"""Digits that fit the vendors' 64-bit ids."""
