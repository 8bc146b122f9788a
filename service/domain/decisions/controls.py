"""What a person has put in force for a while: pauses, locks and holds, always with an end.

A pause holds what runbookd would change by itself. A lock holds everybody but its owner. A hold
keeps what a person has set from being taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.decisions.decision import Check
from service.domain.decisions.decision_json import moment
from service.domain.decisions.directions import SET
from service.domain.durations import clock_time
from service.domain.text import cut, one_line

PAUSE = "pause"
"""Nothing is changed by an alert, a level or a return. A person's request is held too, unless the
person overrides it."""
LOCK = "lock"
"""Nobody but its owner changes the target."""
HOLD = "hold"
"""A person has set the target's value: nothing that takes capacity away by itself is done."""
PAUSED = "paused"
"""The guard that holds while a pause is in force."""
PERSON_HOLD = "person_hold"
"""The guard that holds what would take away what a person has set."""
PERSON_LOCK = "person_lock"
"""The guard that holds while a person has the target locked."""


@dataclass(frozen=True, slots=True)
class Control:
    """One pause, lock or hold.

    `kind` is PAUSE, LOCK or HOLD. `target`, `rule`, `direction` and `action` say what it covers;
    each that is None covers all. `by` is who put it in force, `why` in that person's words. `since`
    and `until` are in seconds since the epoch. `pin` is whether a hold bars what adds as well.
    """

    id: str
    kind: str
    by: str
    why: str
    since: float
    until: float
    target: str | None = None
    rule: str | None = None
    direction: str | None = None
    action: str | None = None
    pin: bool | None = None

    def in_force(self, now: float) -> bool:
        """Whether it holds at `now`; at `until` itself it is over."""
        return self.until > now

    def covers(self, change: Subject) -> bool:
        """Whether this change is one of those that it holds; one to a value may go any way."""
        pairs = (
            (self.target, change.target),
            (self.rule, change.rule),
            (self.direction, self.direction if change.direction == SET else change.direction),
            (self.action, change.action),
        )
        return all(mine is None or mine == theirs for mine, theirs in pairs)

    def to_json(self) -> dict[str, Any]:
        """For the API and the terminal."""
        return {
            "id": self.id,
            "kind": self.kind,
            "target": self.target,
            "rule": self.rule,
            "direction": self.direction,
            "action": self.action,
            "pin": bool(self.pin),
            "by": self.by,
            "why": self.why,
            "since": moment(self.since),
            "until": moment(self.until),
        }

    @property
    def scope(self) -> str:
        """What it covers, for a person: `api`, `rule high-cpu`, `every target`."""
        named = [
            self.target or "",
            f"rule {self.rule}" if self.rule else "",
            f"direction {self.direction}" if self.direction else "",
            f"action {self.action}" if self.action else "",
        ]
        return ", ".join(filter(None, named)) or "every target"


@dataclass(frozen=True, slots=True)
class Subject:
    """A change that may be held: on what, by which rule, which way, by which action.

    `rule` is the name of whatever asks, a person or a level too.
    """

    target: str
    rule: str
    direction: str
    action: str


def check_pauses(controls: Iterable[Control], change: Subject, now: float) -> Check:
    """The pause guard: held by the pause that lasts longest, because only then it may act."""
    found = _longest(controls, PAUSE, change, now)
    if found is None:
        return Check(PAUSED, passed=True, saw=f"no pause covers {change.target}")
    saw = f"{found.scope} is paused until {clock_time(found.until)} by {found.by}: {found.why}"
    return Check(PAUSED, passed=False, saw=saw, until=found.until)


def check_locks(
    controls: Iterable[Control], change: Subject, now: float, owner: str | None = None
) -> Check:
    """The lock guard; `owner` is the person who asks, None for runbookd itself."""
    others = (each for each in controls if owner is None or each.by != owner)
    found = _longest(others, LOCK, change, now)
    if found is None:
        return Check(PERSON_LOCK, passed=True, saw=f"nobody else has locked {change.target}")
    saw = f"{found.scope} is locked until {clock_time(found.until)} by {found.by}: {found.why}"
    return Check(PERSON_LOCK, passed=False, saw=saw, until=found.until)


def check_holds(
    controls: Iterable[Control], change: Subject, now: float, *, removes: bool
) -> Check | None:
    """The guard of what a person has set: it bars what takes away, and what adds where it is
    pinned."""
    barring = [each for each in controls if removes or each.pin]
    found = _longest(barring, HOLD, change, now)
    if found is None and not removes:
        return None
    if found is None:
        return Check(PERSON_HOLD, passed=True, saw=f"no person holds what {change.target} has")
    until = clock_time(found.until)
    saw = f"{found.scope} is held as it is until {until} by {found.by}: {found.why}"
    return Check(PERSON_HOLD, passed=False, saw=saw, until=found.until)


@dataclass(frozen=True, slots=True)
class PersonLock:
    """A person's lock as another installation on the same Redis sees it.

    `by` is the person's name, as the installation of this id knows it: the same name elsewhere may
    be somebody else. `until` is in seconds since the epoch, by that installation's clock. All of it
    was written by others.
    """

    installation: str
    by: str
    why: str
    until: float

    @property
    def owner(self) -> str:
        """Who has it, until when and why, to follow `is locked by`."""
        return (
            f"{_shown(self.by)}, a person at another runbookd (installation "
            f"{_shown(self.installation)}) on the same Redis, until {clock_time(self.until)}: "
            f"{_shown(self.why)}"
        )


def locks_by_resource(
    controls: Iterable[Control], resources: Mapping[str, str], now: float
) -> dict[str, Control]:
    """The lock that lasts longest on each vendor resource; `resources` are those of the targets.

    Two targets may share a resource, such as two components of one app.
    """
    found: dict[str, Control] = {}
    for each in controls:
        resource = resources.get(each.target or "")
        if each.kind != LOCK or resource is None or not each.in_force(now):
            continue
        if resource not in found or found[resource].until < each.until:
            found[resource] = each
    return found


_LONGEST_SHOWN = 500
"""Characters of what another installation says; its own limit for a reason."""


def _shown(text: str) -> str:
    return cut(one_line(text), _LONGEST_SHOWN).rstrip(" .")


def _longest(controls: Iterable[Control], kind: str, change: Subject, now: float) -> Control | None:
    found = [
        each
        for each in controls
        if each.kind == kind and each.in_force(now) and each.covers(change)
    ]
    return max(found, key=lambda each: each.until, default=None)
