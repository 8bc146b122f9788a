"""Guards: what can hold a request back, and the one way in which they are asked.

A guard is a pure function from facts to a check. All guards of a stage are asked, in order, and
every check is kept, passed or not: an act shows why nothing held it, as a hold shows what did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypedDict, TypeVar

from service.domain.alerts.flapping import FLAPPING
from service.domain.decisions.budget import BUDGET
from service.domain.decisions.claims import Cooldown, check_cooldown
from service.domain.decisions.controls import (
    PAUSED,
    PERSON_HOLD,
    PERSON_LOCK,
    Control,
    Subject,
    check_holds,
    check_locks,
    check_pauses,
)
from service.domain.decisions.decision import Check
from service.domain.decisions.expected import IN_VAIN
from service.domain.decisions.policy import FROZEN, LIMITED, SHADOW, Freeze, check_freezes
from service.domain.decisions.requests import PERSON, SCENARIO, Request
from service.domain.decisions.returns import CALM
from service.domain.durations import clock_time
from service.domain.levels.acting import STILL_HELD

Facts = TypeVar("Facts")

RESOLVED = "resolved"
"""Holds when nothing fires (any more)."""
IGNORED = "ignored"
"""Rejects what the rule says is ignored."""
SCOPE = "scope"
"""Holds what the sender's credential may not earn, and a resolve that it may not send."""
YOUNG = "young"
"""Holds an alert until it has fired for as long as its rule asks."""
LABELS = "labels"
"""Holds a resolve whose labels are not those of the alert."""
SETTLING = "settling"
LOCKED = "locked"
CANCELLED = "cancelled"
"""The guard that holds what a person has cancelled."""
_REFUSALS = (SCOPE, LABELS)
LOCK_AGAIN_S = 60.0
"""Nobody knows when another owner gives a lock back, so it is asked for again after this long."""


@dataclass(frozen=True, slots=True)
class Guard(Generic[Facts]):
    """One thing that can hold a request back.

    `judge` returns None where the guard does not apply to these facts. A check that holds says
    until when, where the guard knows. `again` is True where an alert that is held is judged again
    by itself once the guard lets go; else an alert that web holds waits for its sender's next
    repeat, and the worker tries its own request again. `told` is False where nobody waits to hear
    of a hold by the worker.
    """

    name: str
    judge: Callable[[Facts], Check | None]
    told: bool = True
    again: bool = False


def judge(guards: Sequence[Guard[Facts]], facts: Facts) -> tuple[Check, ...]:
    """The checks of all guards that apply, in order."""
    return tuple([check for guard in guards if (check := guard.judge(facts)) is not None])


def least(checks: Sequence[Check | None]) -> Check | None:
    """Of what one guard says of several targets, what holds all of them: the first check that
    passed, else the one that lets go first. None where the guard does not apply to one of them."""
    found = [each for each in checks if each is not None]
    if len(found) < len(checks) or not found:
        return None
    passed = next((each for each in found if each.passed), None)
    return passed or min(found, key=lambda each: each.until or float("inf"))


def refuses(check: Check | None) -> bool:
    """Whether a check holds what the sender may not do, and somebody is to be told of it."""
    return check is not None and not check.passed and check.guard in _REFUSALS


def held_by(checks: Sequence[Check]) -> Check | None:
    """The check that decides: the first that did not pass."""
    return next((check for check in checks if not check.passed), None)


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose alert asks for a rule, where scopes say what its credential may earn."""

    credential: str
    rule: str
    may_earn: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """An alert that wants a change or a message, and what the batch has read about it.

    `changes` is whether it wants a change. `cooldown` is the claim's own, None where it was never
    claimed. `cooldown_run` is the run after which Redis says that the claim is in cooldown;
    `redis_asked` is False in a preview, `redis_answered` when it was away. `unmeasured` says why
    nothing may be changed, where no value was measured. `ignored` is whether the rule asks for
    nothing. `asker` says whether the sender may earn the rule, None where no scopes are in force.
    `pauses`, `locks` and `freezes` are what these said of the change, empty where they do not
    apply. So is `flapping` what the rule says of how often the alert turns, and `in_vain` what it
    says of changes that had no effect. `demoted` says that the rule is in a more careful mode than
    its own. `young_until` is when the alert has fired for as long as its
    rule asks, None where it has already. It and `now` are in seconds since the epoch.
    """

    firing: bool
    claim: str
    changes: bool
    cooldown: Cooldown | None
    now: float
    redis_asked: bool
    redis_answered: bool
    cooldown_run: str | None = None
    unmeasured: str = ""
    ignored: bool = False
    pauses: Check | None = None
    locks: Check | None = None
    freezes: Check | None = None
    asker: Asker | None = None
    young_until: float | None = None
    flapping: Check | None = None
    in_vain: Check | None = None
    demoted: Check | None = None

    @property
    def wants_claim(self) -> bool:
        """Whether a claim is wanted, and so was asked about."""
        refused = self.asker is not None and not self.asker.may_earn
        return self.firing and not self.unmeasured and not self.ignored and not refused


_FIRING = Check(RESOLVED, passed=True, saw="the sender says it is firing")
_RESOLVED = Check(RESOLVED, passed=False, saw="the sender says it is resolved")
_IGNORED = Check(IGNORED, passed=False, saw="the rule says that this alert is ignored")
_WITHOUT_REDIS = Check("redis_gate", passed=True, saw="Redis did not answer: decided on SQL alone")


def _resolved(arrival: Arrival) -> Check:
    return _FIRING if arrival.firing else _RESOLVED


def _ignored(arrival: Arrival) -> Check | None:
    return _IGNORED if arrival.ignored else None


def _scope(arrival: Arrival | PageArrival) -> Check | None:
    """Holds what the sender's credential may not earn."""
    asker = arrival.asker
    if asker is None or not arrival.firing:
        return None
    verb = "may" if asker.may_earn else "may not"
    saw = f"the credential {asker.credential} {verb} earn rule {asker.rule}"
    return Check(SCOPE, passed=asker.may_earn, saw=saw)


def _unmeasured(arrival: Arrival) -> Check | None:
    """Holds every change that an alert without a measured value asks for."""
    if not arrival.unmeasured:
        return None
    saw = f"{arrival.unmeasured}, and nothing is changed without one"
    return Check("unmeasured", passed=False, saw=saw)


def _young(arrival: Arrival) -> Check | None:
    """Holds what has not fired for as long as its rule asks."""
    until = arrival.young_until
    if until is None or not arrival.wants_claim:
        return None
    saw = f"the rule waits until it has fired for long enough, at {clock_time(until)}"
    return Check(YOUNG, passed=False, saw=saw, until=until)


def _of_change(name: str) -> Callable[[Arrival], Check | None]:
    """What was found of a change, where an alert asks for one that may be made."""

    def judge_one(arrival: Arrival) -> Check | None:
        found: Check | None = getattr(arrival, name)
        return found if arrival.changes and arrival.wants_claim else None

    return judge_one


def _redis_gate(arrival: Arrival) -> Check | None:
    """Says what Redis knows, and holds nothing: SQL decides."""
    if not arrival.redis_asked or not arrival.wants_claim:
        return None
    if not arrival.redis_answered:
        return _WITHOUT_REDIS
    claim, run = arrival.claim, arrival.cooldown_run
    if run is None:
        saw = f"Redis: no cooldown of {claim}"
    elif arrival.cooldown is not None and arrival.cooldown.holds(arrival.now):
        saw = f"Redis: cooldown of {claim}, after {run}"
    else:
        saw = f"Redis still has a cooldown of {claim}, after {run}; SQL, which decides, has none"
    return Check("redis_gate", passed=True, saw=saw)


def _cooldown(arrival: Arrival) -> Check | None:
    if not arrival.wants_claim:
        return None
    return check_cooldown(arrival.claim, arrival.cooldown, arrival.now)


ARRIVAL_GUARDS: tuple[Guard[Arrival], ...] = (
    Guard(RESOLVED, _resolved),
    Guard(IGNORED, _ignored),
    Guard(SCOPE, _scope),
    Guard("unmeasured", _unmeasured),
    Guard(FLAPPING, _of_change(FLAPPING), again=True),
    Guard(YOUNG, _young, told=False, again=True),
    Guard(PAUSED, _of_change("pauses"), again=True),
    Guard(PERSON_LOCK, _of_change("locks"), again=True),
    Guard(FROZEN, _of_change("freezes"), again=True),
    Guard(IN_VAIN, _of_change("in_vain"), told=False),
    Guard("demoted", _of_change("demoted")),
    Guard("redis_gate", _redis_gate),
    Guard("cooldown", _cooldown),
)
"""Asked of every alert that wants a change or a message."""

TOLD_WHEN_HELD = frozenset(guard.name for guard in ARRIVAL_GUARDS if guard.again and guard.told)
"""The guards whose holds web has told in Slack: those of people, and flapping."""


@dataclass(frozen=True, slots=True)
class PageArrival:
    """An alert whose rule pages, and what is known of its incident.

    `open` is whether its episode is open. `known` is whether the incident has it as a member
    since before this notification, `paged` whether the pager has the incident open. `reopened` is
    True when it fires again while the run that closes its incident has begun. `asker` is None where
    no scopes are in force.
    """

    firing: bool
    open: bool
    replay: bool
    incident: str
    known: bool
    paged: bool
    reopened: bool = False
    asker: Asker | None = None


def _page_resolved(arrival: PageArrival) -> Check:
    if arrival.replay and arrival.firing and not arrival.open:
        return Check(RESOLVED, passed=False, saw="no sender says that it fires now")
    return _FIRING if arrival.firing else _RESOLVED


def _paged(arrival: PageArrival) -> Check | None:
    if not arrival.firing or (arrival.asker is not None and not arrival.asker.may_earn):
        return None
    if not (arrival.known and arrival.paged):
        return Check("paged", passed=True, saw="the pager does not know this alert yet")
    if arrival.reopened:
        saw = "it fires again while its incident is being closed"
        return Check("paged", passed=True, saw=saw)
    return Check("paged", passed=False, saw=f"incident {arrival.incident} is open")


PAGE_GUARDS: tuple[Guard[PageArrival], ...] = (
    Guard(RESOLVED, _page_resolved),
    Guard(SCOPE, _scope),
    Guard("paged", _paged),
)
"""Asked of every alert whose rule pages. A page needs no cooldown: its dedup_key makes it safe to
repeat."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """A run that is about to look at its target, and what the worker has read.

    `wanted` is whether an alert that asked for it still fires, None in a replay, which nobody need
    ask for. `settles_until` is in seconds since the epoch, 0 where nothing settles. `lock_asked`
    is False where another guard holds already, because asking takes the lock; `locked_by` is who
    else has it. `pauses`, `locks`, `holds` and `freezes` are what these said of the change, None
    where they do not apply. `calm` is what was seen of a return, and of a level that takes away,
    None of another request. `cancelled` is who cancelled the run and why, empty where nobody did.
    `level` is whether what a level asked for is still wanted, None where none has asked.
    """

    target: str
    wanted: bool | None
    settles_until: float
    now: float
    lock_asked: bool = False
    locked_by: str | None = None
    pauses: Check | None = None
    locks: Check | None = None
    holds: Check | None = None
    freezes: Check | None = None
    calm: Check | None = None
    cancelled: str = ""
    level: Check | None = None


def _uncancelled(run: Prospect | Entry) -> Check:
    if run.cancelled:
        return Check(CANCELLED, passed=False, saw=run.cancelled)
    return Check(CANCELLED, passed=True, saw="nobody has cancelled the run")


def _wanted(prospect: Prospect) -> Check | None:
    if prospect.wanted is None:
        return None
    if prospect.wanted:
        return Check(RESOLVED, passed=True, saw="an alert that asked for it still fires")
    saw = "Every alert that asked for it has resolved meanwhile."
    return Check(RESOLVED, passed=False, saw=saw)


def _settled(prospect: Prospect) -> Check:
    if prospect.settles_until > prospect.now:
        until = clock_time(prospect.settles_until)
        saw = f"{prospect.target} was changed and settles until {until}."
        return Check(SETTLING, passed=False, saw=saw, until=prospect.settles_until)
    return Check(SETTLING, passed=True, saw=f"no change of {prospect.target} settles now")


def _unlocked(prospect: Prospect) -> Check | None:
    if not prospect.lock_asked:
        return None
    if prospect.locked_by is not None:
        return locked_by(prospect.target, prospect.locked_by, prospect.now)
    return Check(LOCKED, passed=True, saw=f"nobody else has locked {prospect.target}")


def locked_by(target: str, owner: str, now: float) -> Check:
    """The check of a lock in Redis that somebody else has: `owner`, in words."""
    saw = f"{target} is locked by {owner}."
    return Check(LOCKED, passed=False, saw=saw, until=now + LOCK_AGAIN_S)


PROSPECT_GUARDS: tuple[Guard[Prospect], ...] = (
    Guard(CANCELLED, _uncancelled),
    Guard(RESOLVED, _wanted, told=False),
    Guard(STILL_HELD, attrgetter("level"), told=False),
    Guard(PAUSED, attrgetter("pauses"), again=True),
    Guard(PERSON_LOCK, attrgetter("locks"), again=True),
    Guard(PERSON_HOLD, attrgetter("holds"), again=True),
    Guard(FROZEN, attrgetter("freezes"), again=True),
    Guard(CALM, attrgetter("calm"), told=False),
    Guard(SETTLING, _settled, told=False),
    Guard(LOCKED, _unlocked),
)
"""Asked by the worker before it looks at the target. What only the target shows (busy, bounds,
region) is judged by the plan of its kind. What is over, or was answered a moment ago, is not
told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run right before its first write: what may have changed since it was prepared.

    `cancelled` is who cancelled it and why, empty where nobody did. `limits` is what the limits on
    the number of changes said, `budget` what the budget says where nothing else holds: by then
    another run may have taken the room that there was. `calm` is whether anybody asks for more
    meanwhile of what would be taken away, None of a request that takes nothing. `level` is whether
    what a level asked for is still wanted, None where none has asked.
    """

    cancelled: str
    pauses: Check | None
    locks: Check | None
    holds: Check | None
    freezes: Check | None
    limits: Check | None
    budget: Check | None = None
    calm: Check | None = None
    level: Check | None = None


class Limits(TypedDict):
    """What people, by pauses, locks and the rules' freeze windows, say of a change."""

    pauses: Check | None
    locks: Check | None
    holds: Check | None
    freezes: Check | None


def held_by_people(request: Request, controls: Sequence[Control], now: float) -> Limits:
    """What these say of a request. A person's override passes over pauses and freeze windows; a
    lock holds everybody but its owner."""
    change = request.subject_of_controls
    by_person = request.origin.kind == PERSON
    locks = check_locks(controls, change, now, request.origin.by if by_person else None)
    of_scenario = request.origin.kind == SCENARIO
    if of_scenario and request.policy.mode == SHADOW:
        # It only looks: what stands in the way is told beside the plan.
        return {"pauses": None, "locks": None, "holds": None, "freezes": None}
    overrides = by_person or of_scenario
    if overrides and request.override:
        return {"pauses": None, "locks": locks, "holds": None, "freezes": None}
    holds = None if by_person else check_holds(controls, change, now, removes=request.removes)
    return {
        "pauses": check_pauses(controls, change, now),
        "locks": locks,
        "holds": holds,
        "freezes": check_freezes(request.policy.freezes, change.target, now),
    }


def limits_of_start(
    changes: Sequence[Subject], controls: Sequence[Control], freezes: Sequence[Freeze], now: float
) -> dict[str, Check | None]:
    """What these say of a rule that starts a scenario, which changes all of these; by the names
    that the guards of an arrival have for them. It is held while all of them are: where one is
    free, the scenario begins, and its other steps wait."""
    return {
        "pauses": least([check_pauses(controls, each, now) for each in changes]),
        "locks": least([check_locks(controls, each, now) for each in changes]),
        "freezes": least([check_freezes(freezes, each.target, now) for each in changes]),
    }


def people_hold(request: Request, controls: Sequence[Control], now: float) -> str:
    """What of these holds a request, in one sentence; empty where nothing does."""
    found = held_by_people(request, controls, now)
    checks = (found["pauses"], found["locks"], found["holds"], found["freezes"])
    held = held_by([check for check in checks if check is not None])
    return "" if held is None else held.saw


ENTRY_GUARDS: tuple[Guard[Entry], ...] = (
    Guard(CANCELLED, _uncancelled),
    Guard(STILL_HELD, attrgetter("level")),
    Guard(PAUSED, attrgetter("pauses"), again=True),
    Guard(PERSON_LOCK, attrgetter("locks"), again=True),
    Guard(PERSON_HOLD, attrgetter("holds"), again=True),
    Guard(FROZEN, attrgetter("freezes"), again=True),
    Guard(CALM, attrgetter("calm")),
    Guard(LIMITED, attrgetter("limits"), again=True),
    Guard(BUDGET, attrgetter("budget")),
)
"""Asked beside the fence of a run's first write, in one transaction with the record of it."""

ASKED_AGAIN = frozenset(
    [guard.name for guard in ARRIVAL_GUARDS if guard.again]
    + [guard.name for guard in PROSPECT_GUARDS if guard.again]
    + [guard.name for guard in ENTRY_GUARDS if guard.again]
)
"""The guards whose holds are judged again by themselves, by the alerts that still fire."""
