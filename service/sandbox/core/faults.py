"""Fault injection: what the vendors shall do wrong, and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from service.sandbox.core.names import vendor_names
from service.sandbox.core.wire import Answer, Call, Json, as_object, one_of
from service.sandbox.digitalocean.droplet import OUTCOMES, TYPES

DROPS = ("before", "after")
SLOW = ("answer", "request")
LONGEST_LATENCY = 600.0
"""In seconds."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_HEADER_TEXT = re.compile(r"[ -~]*")
_FIELDS = frozenset(
    {
        "vendor",
        "method",
        "path",
        "type",
        "status",
        "headers",
        "body",
        "latency_s",
        "slow",
        "drop",
        "outcome",
        "times",
    }
)


class FaultError(ValueError):
    """Why a fault is refused, in one sentence."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault.

    These fields say which calls it matches: `vendor`, `method`, `path` (a glob), and `type`, the
    type of a droplet action in the body. None matches every call, and so does the path `*`.

    The others say what happens. With `status`, the vendor answers that instead of acting. `drop`
    closes the connection without an answer, before the vendor acts or after. With `latency_s`, the
    vendor acts at once and answers late: a client that gave up finds the write done, and a client
    that reads gets an old state. With `slow` "request" as well, the vendor acts only after the
    latency. With `outcome`, the vendor accepts a droplet action, which then ends in that way.
    """

    id: int
    vendor: str | None = None
    method: str | None = None
    path: str = "*"
    type: str | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    latency_s: float = 0.0
    slow: str = "answer"
    drop: str | None = None
    outcome: str = ""

    def matches(self, call: Call) -> bool:
        """Whether this fault is for this call."""
        return (
            self.vendor in {None, call.vendor}
            and self.method in {None, call.method}
            and fnmatchcase(call.path, self.path)
            and self.type in {None, as_object(call.body).get("type")}
        )

    @property
    def answer(self) -> Answer | None:
        """The answer that the vendor gives instead of acting. None if it acts."""
        return None if self.status is None else Answer(self.status, self.body, self.headers)


@dataclass(slots=True)
class Faults:
    """The faults that are still to come, oldest first. A call gets the first one that matches."""

    waiting: list[tuple[Fault, int]] = field(default_factory=list)
    last_id: int = 0

    def add(self, body: Any) -> Json:
        """Add a fault from the control interface, and return it as JSON.

        Raises:
            FaultError: the body makes no sense.
        """
        fault, times = read_fault(body, self.last_id + 1)
        self.last_id = fault.id
        self.waiting.append((fault, times))
        return fault_json(fault, times)

    def take(self, call: Call) -> Fault | None:
        """The fault for this call, which then comes one time less. None if no fault matches."""
        for index, (fault, times) in enumerate(self.waiting):
            if fault.matches(call):
                self.waiting[index : index + 1] = [(fault, times - 1)] if times > 1 else []
                return fault
        return None

    def shown(self) -> list[Json]:
        """The faults that are still to come, as JSON for the control interface."""
        return [fault_json(fault, times) for fault, times in self.waiting]


def fault_json(fault: Fault, times: int) -> Json:
    """A fault as JSON for the control interface. `times` is how often it still comes."""
    return {
        "id": fault.id,
        "vendor": fault.vendor,
        "method": fault.method,
        "path": fault.path,
        "type": fault.type,
        "status": fault.status,
        "headers": fault.headers,
        "body": fault.body,
        "latency_s": fault.latency_s,
        "slow": fault.slow,
        "drop": fault.drop,
        "outcome": fault.outcome or None,
        "times": times,
    }


def read_fault(body: Any, fault_id: int) -> tuple[Fault, int]:
    """A fault from JSON, and how often it comes.

    Raises:
        FaultError: the body makes no sense.
    """
    if not isinstance(body, dict):
        raise FaultError("A fault must be a JSON object.")
    if unknown := sorted(set(body) - _FIELDS):
        raise FaultError(
            f"A fault has no field {unknown[0]!r}; it has {', '.join(sorted(_FIELDS))}."
        )
    fault = Fault(
        id=fault_id,
        vendor=_vendor(body.get("vendor")),
        method=_method(body.get("method")),
        path=_path(body.get("path")),
        type=_type(body.get("type")),
        status=_status(body.get("status")),
        headers=_headers(body.get("headers")),
        body=body.get("body"),
        latency_s=_latency(body.get("latency_s")),
        slow=_slow(body.get("slow")),
        drop=_drop(body.get("drop")),
        outcome=_outcome(body.get("outcome")),
    )
    _refuse_contradictions(fault)
    return fault, _times(body.get("times"))


def _refuse_contradictions(fault: Fault) -> None:
    if fault.status is None and fault.drop is None and not fault.latency_s and not fault.outcome:
        raise FaultError(
            "A fault needs status, drop, latency_s or outcome: this one would do nothing."
        )
    if fault.outcome and (fault.status is not None or fault.drop == "before"):
        raise FaultError("A fault with an outcome lets the vendor act: give no status, no drop.")
    if fault.status is not None and fault.drop is not None:
        raise FaultError("A fault has status or drop, not both: a dropped call has no answer.")
    if fault.slow != SLOW[0] and not fault.latency_s:
        raise FaultError("A fault with slow needs latency_s: how slow it is.")
    if fault.status is None and (fault.headers or fault.body is not None):
        raise FaultError("A fault with headers or body needs a status to send them with.")


def _vendor(value: Any) -> str | None:
    if value is None or value == "*":
        return None
    if not one_of(value, vendor_names()):
        raise FaultError(f"vendor must be one of {', '.join(vendor_names())}.")
    return str(value)


def _method(value: Any) -> str | None:
    if value is None or value == "*":
        return None
    if not isinstance(value, str) or not value.isalpha():
        raise FaultError("method must be an HTTP method such as POST.")
    return value.upper()


def _path(value: Any) -> str:
    if value is None:
        return "*"
    if not isinstance(value, str) or not value:
        raise FaultError("path must be a glob on the vendor's own path, such as /v2/apps/*.")
    return value


def _type(value: Any) -> str | None:
    if value is None or value == "*":
        return None
    if not one_of(value, TYPES):
        raise FaultError(f"type must be a droplet action: {', '.join(sorted(TYPES))}.")
    return str(value)


def _outcome(value: Any) -> str:
    if value is None:
        return ""
    if not one_of(value, OUTCOMES):
        raise FaultError(f"outcome must be one of {', '.join(OUTCOMES)}.")
    return str(value)


def _status(value: Any) -> int | None:
    if value is None or (type(value) is int and 200 <= value <= 599):  # noqa: PLR2004 - HTTP's own
        return value
    raise FaultError("status must be an HTTP status from 200 to 599.")


def _headers(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(_plain(v) for v in value.values()):
        raise FaultError("headers must be an object of strings.")
    if not all(
        _HEADER_NAME.fullmatch(k) and _HEADER_TEXT.fullmatch(str(v)) for k, v in value.items()
    ):
        raise FaultError("headers must be plain ASCII, each on one line.")
    return {name: str(text) for name, text in value.items()}


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _latency(value: Any) -> float:
    number = 0.0 if value is None else value
    if not _plain(number) or isinstance(number, str) or not 0 <= number <= LONGEST_LATENCY:
        raise FaultError(f"latency_s must be from 0 to {LONGEST_LATENCY:g} seconds.")
    return float(number)


def _slow(value: Any) -> str:
    if value is None:
        return SLOW[0]
    if not one_of(value, SLOW):
        raise FaultError(f"slow must be {' or '.join(SLOW)}.")
    return str(value)


def _drop(value: Any) -> str | None:
    if value is None or value in DROPS:
        return value if value is None else str(value)
    raise FaultError("drop must be before or after.")


def _times(value: Any) -> int:
    number = 1 if value is None else value
    if type(number) is not int or number < 1:
        raise FaultError("times must be a whole number from 1.")
    return number
