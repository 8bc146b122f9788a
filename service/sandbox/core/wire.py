"""A call of a vendor and its answer, free of any web framework. All vendor modules use them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the vendor sees it. `path` is the vendor's own, without our prefix.

    `raw` is the body as bytes, and `body` the same as JSON or as a form: None if it is empty, the
    text if it cannot be read. `token` is the bearer token, or empty. `base_url` is the beginning of
    links in answers. `now` is in seconds since the epoch. `outcome` says how a fault ends the
    droplet action that this call starts. Empty: as requested. `headers` are those of the request,
    by the names that it has written.
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
    headers: Mapping[str, str] = field(default_factory=dict)

    def first(self, name: str) -> str | None:
        """The first value of a query parameter. None if it is not there."""
        values = self.query.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer. A `body` of None is empty, and bytes are sent as they are. `refused` marks
    a refusal with status 200.

    It comes `takes_s` seconds after the vendor has acted.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False
    takes_s: float = 0.0

    @property
    def acted(self) -> bool:
        """Whether the vendor did what the call requested."""
        return self.status < 400 and not self.refused  # noqa: PLR2004 - HTTP's own boundary


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of the program
    """A vendor's refusal. `Vendor.answer` catches it and returns its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


def as_object(body: Any) -> Json:
    """The body as a JSON object. Anything else counts as an empty object."""
    return body if isinstance(body, dict) else {}


def one_of(value: Any, allowed: Container[str]) -> bool:
    """Whether a value from a body is one of these words. Only a string can be."""
    return isinstance(value, str) and value in allowed


def whole_number(text: str) -> int | None:
    """A number from a path or a query. None if it is no number, or longer than any id."""
    return (
        int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None
    )


LONGEST_NUMBER = 18
"""Digits that fit the vendors' 64-bit ids."""
