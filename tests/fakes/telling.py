"""Those who are told and asked: pager, messenger, metrics, a health check's address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from service.domain.errors import FailureKind, VendorError
from service.domain.links import Link
from service.ports import Message, MessageRef, Page
from service.ports.messenger import Picture
from tests.fakes.faults import vendor_error


@dataclass(slots=True)
class FakePager:
    """Open incidents by key, and the changes recorded."""

    open: dict[str, Page] = field(default_factory=dict)
    changes: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def trigger(self, page: Page) -> None:
        self.open[page.dedup_key] = page

    def resolve(self, dedup_key: str) -> None:
        self.open.pop(dedup_key, None)

    def change(
        self,
        summary: str,
        source: str,
        details: Mapping[str, Any],
        links: Sequence[Link] = (),
    ) -> None:
        self.changes.append((summary, source, details))


@dataclass(slots=True)
class FakeMessenger:
    """Messages as they read now, with the thread each is in; `problem` is what a post meets,
    `stuck` what an edit meets.

    `hangs` is called first: it may let time go by, and raise."""

    messages: dict[MessageRef, Message] = field(default_factory=dict)
    threads: dict[MessageRef, MessageRef | None] = field(default_factory=dict)
    problem: Exception | None = None
    stuck: Exception | None = None
    hangs: Callable[[], None] = lambda: None
    pictures: list[tuple[MessageRef, Picture]] = field(default_factory=list)
    no_pictures: Exception | None = None

    def picture(self, thread: MessageRef, picture: Picture) -> None:
        self.hangs()
        if self.no_pictures is not None:
            raise copy(self.no_pictures)
        self.pictures.append((thread, picture))

    def post(self, message: Message, thread: MessageRef | None = None) -> MessageRef:
        self.hangs()
        if self.problem is not None:
            raise copy(self.problem)  # anew each time, as from a real call
        ref = MessageRef("C000", str(len(self.messages)))
        self.messages[ref] = message
        self.threads[ref] = thread
        return ref

    def update(self, ref: MessageRef, message: Message) -> None:
        self.hangs()
        if self.stuck is not None:
            raise copy(self.stuck)
        if ref not in self.messages:
            raise vendor_error(FailureKind.PERMANENT, "message_not_found", status=200)
        self.messages[ref] = message


@dataclass(slots=True)
class FakeMetrics:
    """Values by expression; an expression without one has no data. `past` are the samples of an
    expression, instants and values. `asked` are the ranges that were asked for."""

    values: dict[str, float | VendorError] = field(default_factory=dict)
    past: dict[str, Sequence[tuple[float, float]] | VendorError] = field(default_factory=dict)
    asked: list[tuple[str, float, float]] = field(default_factory=list)

    def query(self, expression: str) -> float | None:
        value = self.values.get(expression)
        if isinstance(value, VendorError):
            raise value
        return value

    def history(
        self, expression: str, since: float, until: float, step_s: float
    ) -> Sequence[tuple[float, float]]:
        self.asked.append((expression, since, until))
        past = self.past.get(expression, ())
        if isinstance(past, VendorError):
            raise past
        return [
            (at, value) for at, value in past if since <= at <= until and (at - since) % step_s == 0
        ]


@dataclass(slots=True)
class FakeProbe:
    """Says `problem` for the first `times` checks."""

    problem: str = ""
    times: int = 0
    checked: list[str] = field(default_factory=list)

    def check(self, url: str) -> str | None:
        self.checked.append(url)
        return self.problem if len(self.checked) <= self.times else None
