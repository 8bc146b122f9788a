"""From what should hold to what has to be done for it, and whether that is still wanted. Pure.

What alerts have added lies on top of what levels want: a level is judged by the present value
without it, and only a return takes it away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from service.domain.capacity.ledger import Entry, Value
from service.domain.decisions.decision import Check
from service.domain.decisions.directions import SET, is_less
from service.domain.decisions.requests import Request
from service.domain.durations import clock_time
from service.domain.levels.levels import Attribute, Level, Levels
from service.domain.levels.resolve import InForce, Standing, changes, in_words

STILL_HELD = "level"
"""The guard that holds what a level does not want any more."""
CALM_S = 900.0
"""How long no alert must have asked for more before a level takes anything away, in seconds
(design: scale-in waits for 15 minutes of calm)."""
RESTS_S = 300.0
"""How long the claim of a target's levels rests after a run, in seconds. The target settles as
long."""
_LONGEST_REST_S = 3_600.0
_AHEAD_S = 400 * 86_400.0
"""How far the next change of a level is looked for, in seconds: a year and what is around it."""
_LOWERED_BY = 4
"""A ceiling lowers a count by at most one part in so many at once."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What an attribute shall become. `base` is that without what alerts have added."""

    value: Value
    base: Value


def goal_of(holds: Standing, present: Value, added: int, ladder: Sequence[str]) -> Goal:
    """Where an attribute has to go that is `present` now, `added` of it by alerts.

    `ladder` are the sizes of the target, smallest first. Of a size `added` is not 0 where alerts
    have made it larger.
    """
    if not isinstance(present, int) or holds.most is None:
        value = present if holds.value is None else holds.value
        if holds.lowest is not None and is_less(holds.lowest, value, ladder):
            value = holds.lowest
        larger = added and is_less(present, value, ladder) is not False
        return Goal(present if larger else value, value)
    own = present - added
    base = holds.for_present(own)
    if own > holds.most:
        base = max(base, own - max(1, own // _LOWERED_BY))
    value = base + added
    if value > present:
        # What alerts have added must not carry a rise past the ceiling.
        value = max(present, min(value, holds.most))
    return Goal(value, base)


def added_by_alerts(entry: Entry | None, present: Value) -> int:
    """How much of a present value alerts have added; 0 where the ledger knows another value.

    Of a size it is how often they have made it larger.
    """
    if entry is None or entry.value != present:
        return 0
    if not isinstance(present, int):
        return len(entry.additions)
    return sum(int(each.after) - int(each.before) for each in entry.additions)


def own_value(entry: Entry | None, present: Value) -> Value:
    """A present value without what alerts have added to it."""
    added = added_by_alerts(entry, present)
    if isinstance(present, int):
        return present - added
    return entry.additions[0].before if entry is not None and added else present


def direction_of(moves: Mapping[str, tuple[Value, Value]], ladder: Sequence[str]) -> str:
    """Which way a change goes; `moves` has each attribute with its values before and after."""
    ways = {is_less(*pair, ladder) for pair in moves.values()}
    counts = any(isinstance(pair[1], int) for pair in moves.values())
    if ways == {False}:
        return "out" if counts else "up"
    if ways == {True}:
        return "in" if counts else "down"
    return SET


def says(holds: Standing) -> str:
    """What holds and why, in one line; two that say the same want the same."""
    why = ", ".join(str(each) for each in holds.parts)
    return f"{in_words(holds)} ({why})"


def leader(holds: Standing, base: Value, present: Value) -> InForce | None:
    """The level to name as the one that asks; None where no level says anything."""
    by = {part.what: part.by for part in holds.parts if part.by is not None}
    first = "ceiling" if is_less(present, base, ()) else "floor"
    exact = [part.by for part in holds.parts if part.by is not None and part.value == base]
    return next(iter([*exact, *filter(None, (by.get(first), by.get("aim"))), *by.values()]), None)


def until(levels: Levels, attribute: Attribute, now: float) -> float:
    """When something else holds for an attribute; far ahead where nothing ever does."""
    end = now + _AHEAD_S
    return next((at for at, _ in changes(levels, attribute, now, end)), end)


def digest(level: Level) -> str:
    """A short text that differs where a level says something else; its name does not count."""
    fields = [
        level.kind,
        [each.to_json() for each in level.windows],
        [[*each, said.to_json()] for each, said in sorted(level.hold.items())],
        [[*each, said.to_json()] for each, said in sorted(level.otherwise.items())],
    ]
    return sha256(json.dumps(fields).encode()).hexdigest()[:12]


def rest_s(tries: int) -> float:
    """How long to wait after a run that did not bring what the level wants, in seconds.

    `tries` is how often it was asked for in vain.
    """
    return float(min(RESTS_S * 2.0 ** max(0, tries - 1), _LONGEST_REST_S))


@dataclass(frozen=True, slots=True)
class Undone:
    """A person has undone what a level's run had made: `says` is what held then, and `until`
    (seconds since the epoch) is when that changes."""

    run: str
    says: str
    until: float

    def holds_back(self, said: str, now: float) -> bool:
        """Whether it holds back a level that says this."""
        return said == self.says and now < self.until


def check_level(
    request: Request, in_force: str, undone: Mapping[Attribute, Undone], now: float
) -> Check:
    """Whether what a level has asked for is still wanted.

    `in_force` is the hash of the rules in force, `undone` what people have undone.
    """
    if request.rules_hash != in_force:
        saw = f"the rules in force are {in_force or 'not known'}, and {request.origin.by} asked by "
        return _over(f"{saw}{request.rules_hash}")
    for each in request.held:
        if each.until <= now:
            return _over(f"since {clock_time(each.until)} something else holds for {each.of}")
        back = undone.get((request.target.name, each.of))
        if back is not None and back.holds_back(each.says, now):
            return _over(undone_told(back))
    what = " and ".join(dict.fromkeys(each.of for each in request.held))
    saw = f"level {request.origin.by} still holds {what} of {request.target.name}"
    return Check(STILL_HELD, passed=True, saw=saw)


def undone_told(undone: Undone) -> str:
    """Why a level that was undone does not act, in a sentence without its full stop."""
    return f"a person has undone run {undone.run}, so it waits until {clock_time(undone.until)}"


def _over(saw: str) -> Check:
    return Check(STILL_HELD, passed=False, saw=saw)
