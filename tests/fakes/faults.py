"""Making a chosen write fail before or after it takes effect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from service.domain.errors import FailureKind, VendorError

T = TypeVar("T")


class ProcessDied(BaseException):
    """The worker was killed here: nothing of ours may catch it."""


STATUS = {FailureKind.TEMPORARY: 429, FailureKind.PERMANENT: 422, FailureKind.UNKNOWN: None}
"""The HTTP status of each kind of failure, unless a fake says otherwise."""


def vendor_error(
    kind: FailureKind,
    sentence: str = "the vendor said no.",
    retry_after: float | None = None,
    status: int | None = None,
) -> VendorError:
    return VendorError("fake", "write", kind, sentence, retry_after, status or STATUS[kind])


def not_found() -> VendorError:
    """What a vendor answers about a thing that it does not have."""
    return vendor_error(FailureKind.PERMANENT, "it was not found.", status=404)


@dataclass(slots=True)
class Writes:
    """The writes of one fake: each by name once it took effect, and the faults to come.

    `before` and `after` map the number of a sent write (from 0) to what is raised; `late` holds
    how many seconds after an UNKNOWN answer, or a death, a write takes effect all the same.
    """

    sent: int = 0
    effective: list[str] = field(default_factory=list)
    before: dict[int, BaseException] = field(default_factory=dict)
    after: dict[int, BaseException] = field(default_factory=dict)
    late: dict[int, float] = field(default_factory=dict)
    _coming: list[tuple[float, str, Callable[[], object]]] = field(default_factory=list)

    def send(self, name: str, effect: Callable[[], T], now: float = 0.0) -> T:
        number, self.sent = self.sent, self.sent + 1
        if problem := self.before.get(number):
            if number in self.late:
                self._coming.append((now + self.late[number], name, effect))
            raise problem
        result = effect()
        self.effective.append(name)
        if problem := self.after.get(number):
            raise problem
        return result

    def land(self, now: float) -> None:
        """Let what was on its way arrive; a refusal then reaches nobody."""
        due = [one for one in self._coming if one[0] <= now]
        self._coming = [one for one in self._coming if one[0] > now]
        for _, name, effect in due:
            with suppress(VendorError):
                effect()
                self.effective.append(name)
