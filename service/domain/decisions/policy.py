"""What an operator wrote about how far runbookd may act: mode, freeze windows, limits.

It is part of the rules, and pinned with each request, so that a worker judges by what was in force
when the request was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.domain.decisions.approval import Approval, approval_from_json
from service.domain.decisions.budget import Budget, budget_from_json
from service.domain.decisions.decision import Check
from service.domain.decisions.expected import Expected, expected_from_json
from service.domain.decisions.returns import Return, return_from_json
from service.domain.durations import clock_time, lasted
from service.domain.windows import Window

ACT = "act"
APPROVE = "approve"
"""Asks a person before it changes anything (`service.domain.decisions.approval`)."""
SHADOW = "shadow"
"""Decides and tells what it would have done, and changes nothing."""
OFF = "off"
"""The rule is not there: matching goes on."""
MODES = (ACT, APPROVE, SHADOW, OFF)
"""From the boldest to the most careful."""

FROZEN = "frozen"
"""The guard that holds in a freeze window."""

_LOOKED_AHEAD_S = 366 * 86_400.0
"""Windows that overlap are followed so far; whoever is held longer asks again then."""

ALL, EACH_TARGET, EACH_ACTION = "all", "target", "action"
"""What a limit counts together."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A window in which nothing is changed by itself.

    `targets` are those that it covers; empty for all.
    """

    window: Window
    targets: tuple[str, ...] = ()
    why: str = ""

    def covers(self, target: str) -> bool:
        """Whether it holds changes of this target."""
        return not self.targets or target in self.targets


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` changes within `per_s` seconds; `of` is ALL, EACH_TARGET or EACH_ACTION.

    Beyond it, what it counts is paused for `pause_s` seconds.
    """

    most: int
    per_s: float
    of: str = ALL
    pause_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How far a request may go. `mode` is the more careful of the rule's and the one for all.

    `approval` says who decides, where a person has to. `budget` is what the targets may cost, None
    where nothing bounds that. `returns` is when what the rule's alerts add is taken back, None
    where it stays. `expected` is what the rule expects of its changes, None where it expects
    nothing. `demoted` is whether the rule is in this mode because it has demoted itself.
    """

    mode: str = ACT
    freezes: tuple[Freeze, ...] = ()
    limits: tuple[Limit, ...] = ()
    approval: Approval = field(default_factory=Approval)
    budget: Budget | None = None
    expected: Expected | None = None
    demoted: bool = False
    returns: Return | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        return {
            "mode": self.mode,
            "freezes": [
                {"window": each.window.to_json(), "targets": list(each.targets), "why": each.why}
                for each in self.freezes
            ],
            "limits": [
                {name: getattr(each, name) for name in each.__dataclass_fields__}
                for each in self.limits
            ],
            "approval": self.approval.to_json(),
            "budget": None if self.budget is None else self.budget.to_json(),
            "expected": None if self.expected is None else self.expected.to_json(),
            "demoted": self.demoted,
            "returns": None if self.returns is None else self.returns.to_json(),
        }


def policy_from_json(fields: Mapping[str, Any] | None) -> Policy:
    """What `to_json` wrote; a request of a version without one has none."""
    if fields is None:
        return Policy()
    return Policy(
        mode=fields["mode"],
        freezes=tuple(
            Freeze(Window.from_json(each["window"]), tuple(each["targets"]), each["why"])
            for each in fields["freezes"]
        ),
        limits=tuple(Limit(**each) for each in fields["limits"]),
        approval=approval_from_json(fields["approval"]) if "approval" in fields else Approval(),
        budget=budget_from_json(fields.get("budget")),
        expected=expected_from_json(fields.get("expected")),
        demoted=fields.get("demoted", False),
        returns=return_from_json(fields.get("returns")),
    )


def careful(modes: Sequence[str]) -> str:
    """The most careful of these modes."""
    return max(modes, key=MODES.index, default=ACT)


def check_freezes(freezes: Sequence[Freeze], target: str, now: float) -> Check | None:
    """The freeze guard; None where no freeze window is about this target."""
    about = [each for each in freezes if each.covers(target)]
    if not about:
        return None
    until = _closes(about, now)
    if until <= now:
        return Check(FROZEN, passed=True, saw=f"no freeze window of {target} is open")
    why = next((f": {each.why}" for each in about if each.window.open_at(now) and each.why), "")
    saw = f"{target} is frozen until {clock_time(until)} by the rules{why}"
    return Check(FROZEN, passed=False, saw=saw, until=until)


def _closes(freezes: Sequence[Freeze], now: float) -> float:
    """When the last of the windows that are open, or open as one closes, is closed."""
    until = now
    while (later := max(each.window.closes_after(until) for each in freezes)) > until:
        until = later
        if until > now + _LOOKED_AHEAD_S:
            break
    return until


LIMITED = "blast_radius"
"""The guard that holds when a limit on the number of changes is reached."""


@dataclass(frozen=True, slots=True)
class Made:
    """A change that reached its first write, at `at` (seconds since the epoch)."""

    target: str
    action: str
    at: float


@dataclass(frozen=True, slots=True)
class Trip:
    """A limit that is reached: what it pauses, each None for all, and until when."""

    target: str | None
    action: str | None
    until: float
    why: str


def longest_window_s(limits: Sequence[Limit]) -> float:
    """How far back limits count, in seconds."""
    return max((each.per_s for each in limits), default=0.0)


def tripped(
    limits: Sequence[Limit], made: Sequence[Made], target: str, action: str, now: float
) -> Trip | None:
    """The first limit that one more change of this target by this action would exceed."""
    for limit in limits:
        scope = (
            target if limit.of == EACH_TARGET else None,
            action if limit.of == EACH_ACTION else None,
        )
        counted = sum(_counts(limit, each, scope, now) for each in made)
        if counted >= limit.most:
            what = scope[0] or scope[1] or "all targets"
            made_so_far = f"{counted} changes of {what} within {lasted(limit.per_s)}"
            why = f"{made_so_far}; {limit.most} are allowed"
            return Trip(*scope, now + limit.pause_s, why)
    return None


def _counts(limit: Limit, made: Made, scope: tuple[str | None, str | None], now: float) -> bool:
    target, action = scope
    recent = made.at > now - limit.per_s
    return recent and target in (None, made.target) and action in (None, made.action)
