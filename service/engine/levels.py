"""Compares what should hold now with what was applied last, and asks for the difference.

Nothing is fired when a window opens or closes: each round looks at the state of now. So nothing is
missed over a downtime, and of what came and went meanwhile nothing is made up for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from service.catalogue.registry import action_that_sets, kind_spec
from service.domain.decisions.claims import shadow_claim
from service.domain.decisions.guards import PROSPECT_GUARDS, held_by, judge
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.policy import OFF, SHADOW
from service.domain.decisions.requests import LEVEL, Held, Origin, Request, Wanted
from service.domain.errors import StepFailed, StoreConflict, StoreUnavailable, VendorError
from service.domain.levels.acting import (
    RESTS_S,
    Goal,
    added_by_alerts,
    digest,
    direction_of,
    goal_of,
    leader,
    own_value,
    says,
    until,
)
from service.domain.levels.applied import Applied
from service.domain.levels.levels import Attribute, Baseline
from service.domain.levels.resolve import Standing, changes, standing
from service.domain.rules.rules import RuleBook, Target
from service.engine import looks, outbox
from service.engine.parts import WorkerParts
from service.engine.prospects import prospect_of
from service.messages.levels import begins
from service.ports.admission import NewRun

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 10.0
"""How often a worker compares what should hold with what was applied, in seconds."""
AGAIN_S = 60.0
"""How long ago a target was looked at before a level that waits has it looked at again, in
seconds."""
DRIFT_S = 600.0
"""The same of a target that is as its levels want it, in seconds."""

_NOTHING = Standing(None, None, None)


@dataclass(frozen=True, slots=True)
class _Move:
    """One value of the target that has to change for a level: which way, and why."""

    of: str
    present: int | str
    goal: Goal
    holds: Standing


@dataclass(slots=True)
class _Looked:
    """When a target was looked at, and what held then."""

    at: float
    says: Mapping[str, str] = field(default_factory=dict)


def _asked_otherwise(book: RuleBook, of: Attribute, each: Applied, now: float) -> bool:
    """Whether what became of the last run says nothing any more: it was in shadow and the rules act
    now, or it was cancelled and something else has held since."""
    if each.status == "shadow":
        return book.policy.mode != SHADOW
    if each.status != "cancelled" or each.ended_at is None:
        return False
    return next(changes(book.levels, of, each.ended_at, now), None) is not None


class LevelRound:
    """Looks at everything that levels hold; by any worker that has the rules in force. Each request
    takes its claim, so of several workers one asks for it."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0
        self._begin_at = 0.0
        self._put = ""
        self._looked: dict[str, _Looked] = {}

    def __call__(self, _sign: bool) -> None:
        """One round."""
        book, at = self._parts.book(), self._parts.clock.monotonic()
        if book is None or at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        now = self._parts.clock.time()
        if new := book.hash != self._put:
            # These rules are new here, by a start or by a reload: all is looked at once more.
            self._looked.clear()
        mine = self._parts.levels.put_in_force(book.hash, now, starts=new)
        self._put = book.hash
        if not book.levels.levels:
            self._next_at = at + AGAIN_S
        if not mine or book.policy.mode == OFF or not book.levels.levels:
            return
        grown = replace(book.levels, baselines=self._parts.levels.baselines())
        beginning = grown.beginning(now)
        if beginning and at >= self._begin_at:
            # What cannot be seen now is not asked for in each round.
            self._begin_at = at + AGAIN_S
            self._begin(book, beginning, now)
            grown = replace(grown, baselines=self._parts.levels.baselines())
        book = replace(book, levels=grown)
        rows = self._parts.levels.rows()
        for name in dict.fromkeys(target for target, _ in book.levels.attributes):
            try:
                self._consider(book, book.targets[name], rows, now)
            except (StoreUnavailable, StoreConflict):
                raise
            except Exception:
                # It must not keep the levels of the other targets.
                _log.exception("level_not_considered", target=name)

    def _begin(self, book: RuleBook, beginning: frozenset[Baseline], now: float) -> None:
        """Keep what there is at the start of a growth, without what alerts have added."""
        ledger = {(each.target, each.attribute): each for each in self._parts.ledger.entries()}
        for name in sorted({target for _, target, _ in beginning}):
            target = book.targets[name]
            try:
                observed = self._parts.work_of(target).observe(target)
            except (VendorError, StepFailed) as error:
                _log.warning("no_baseline", target=name, why=str(error))
                continue
            values = kind_spec(target.kind).values(observed)
            for growth, of, attribute in sorted(beginning):
                if of != name:
                    continue
                seen = next(iter(kind_spec(target.kind).levels_as(attribute, _NOTHING, values)))
                present = values.get(seen)
                if present is not None:
                    own = own_value(ledger.get((of, seen)), present)
                    self._parts.levels.keep_baseline((growth, of, attribute), own, now)

    def _consider(
        self, book: RuleBook, target: Target, rows: Mapping[Attribute, Applied], now: float
    ) -> None:
        holds = _holding(book, target.name, now)
        said = {name: says(each) for name, each in holds.items()}
        known = {name: rows.get((target.name, name), Applied()) for name in holds}
        if not holds or not self._is_due(target.name, said, known, now):
            return
        free = {}
        for name, each in known.items():
            anew = _asked_otherwise(book, (target.name, name), each, now)
            why_not = each.why_not(said[name], now, anew=anew)
            if why_not and why_not != each.waits:
                self._parts.levels.waits((target.name, name), why_not)
            if not why_not:
                free[name] = holds[name]
        if not free or any(each.under_way for each in known.values()):
            return
        self._looked[target.name] = _Looked(now, said)
        _Considered(book, target, free, now, self._parts, self._forget).go_on()

    def _is_due(
        self, target: str, said: Mapping[str, str], known: Mapping[str, Applied], now: float
    ) -> bool:
        looked = self._looked.get(target)
        if looked is None or looked.says != said:
            return True
        if any((each.ended_at or 0.0) > looked.at for each in known.values()):
            return True
        settled = all(each.applied_says == said[name] for name, each in known.items())
        waits = any(each.waits for each in known.values())
        return now - looked.at >= (DRIFT_S if settled and not waits else AGAIN_S)

    def _forget(self, target: str) -> None:
        """Have the next round look at a target again."""
        self._looked.pop(target, None)


@dataclass(slots=True)
class _Considered:
    """One target in one round, with what holds of it that may be asked for now."""

    book: RuleBook
    target: Target
    holds: Mapping[str, Standing]
    now: float
    parts: WorkerParts
    look_again: Callable[[str], None]

    def go_on(self) -> None:
        """Look at the target, and ask for what differs."""
        kind = kind_spec(self.target.kind)
        try:
            observed = self.parts.work_of(self.target).observe(self.target)
        except (VendorError, StepFailed) as error:
            self._wait(self.holds, f"{self.target.name} could not be looked at: {error}")
            return
        values = kind.values(observed)
        looks.note(self.target, values, self.now, self.parts)
        moves = self._moves(values)
        if not moves:
            return
        request = self._request(moves)
        plan = kind.plan(request, observed)
        names = dict.fromkeys(each.of for each in request.held)
        if isinstance(plan, PlanHeld):
            self._wait(names, plan.reason)
            return
        if self._told(request, plan, names):
            self.look_again(self.target.name)
            return
        held = held_by(judge(PROSPECT_GUARDS, prospect_of(request, self.parts, self.now)))
        self._wait(names, "" if held is None else held.saw)
        if held is None:
            self._ask(request)

    def _moves(self, values: Mapping[str, int | str]) -> dict[str, _Move]:
        """What has to change, by the names of the values. What is as it is wanted is noted."""
        ledger = {
            each.attribute: each
            for each in self.parts.ledger.entries()
            if each.target == self.target.name
        }
        moves: dict[str, _Move] = {}
        for name, holds in self.holds.items():
            wanted = kind_spec(self.target.kind).levels_as(name, holds, values)
            found: dict[str, _Move] = {}
            for value, of_value in wanted.items():
                if value not in values:
                    self._wait([name], f"{value} of {self.target.name} is not known")
                    break
                present = values[value]
                if of_value.lowest is not None and present not in self.target.sizes:
                    saw = f"{self.target.name} has {value} {present}, which is none of its sizes"
                    self._wait([name], f"{saw}: whether that is enough is not known")
                    break
                added = added_by_alerts(ledger.get(value), present)
                goal = goal_of(of_value, present, added, self.target.sizes)
                if goal.value != present:
                    found[value] = _Move(name, present, goal, of_value)
            else:
                if not found:
                    self._is_so(name, {each: values[each] for each in wanted})
            moves |= found
        return moves

    def _is_so(self, name: str, values: Mapping[str, int | str]) -> None:
        self.parts.levels.applied((self.target.name, name), says(self.holds[name]), self.now)
        self.parts.ledger.found(self.target.name, values, self.now)

    def _request(self, moves: Mapping[str, _Move]) -> Request:
        """The request for those moves that one action makes together; its id comes with its
        claim."""
        kind, target, book = kind_spec(self.target.kind), self.target, self.book
        action = action_that_sets(kind, next(iter(moves)))
        if action is None:
            raise TypeError(f"no action of {target.kind} sets {next(iter(moves))}")
        mine = {
            name: each for name, each in moves.items() if action_that_sets(kind, name) is action
        }
        ways = {name: (each.present, each.goal.value) for name, each in mine.items()}
        direction = direction_of(ways, target.sizes)
        claim = f"{target.name}.{LEVEL}"
        return Request(
            id="",
            action=action.name,
            origin=_origin(target, next(iter(mine.values()))),
            claim=shadow_claim(claim) if book.policy.mode == SHADOW else claim,
            rules_hash=book.hash,
            direction=direction,
            on=target,
            wanted=tuple(Wanted(name, to=each.goal.value) for name, each in mine.items()),
            cooldown_s=RESTS_S,
            settle_s=RESTS_S,
            policy=book.policy,
            expects=tuple(Wanted(name, to=each.present) for name, each in mine.items()),
            held=tuple(self._held(name, each) for name, each in mine.items()),
        )

    def _held(self, name: str, move: _Move) -> Held:
        ends = until(self.book.levels, (self.target.name, move.of), self.now)
        return Held(name, move.of, move.goal.base, says(self.holds[move.of]), ends)

    def _told(self, request: Request, plan: Plan, names: Mapping[str, None]) -> bool:
        """Whether people were told only now of a level that this follows from."""
        by = {part.by.level for name in names for part in self.holds[name].parts if part.by}
        new = [
            each.name
            for each in sorted(by, key=lambda level: level.name)
            if self.parts.levels.is_news(each.name, digest(each), self.now)
        ]
        if new:
            outbox.post(begins(new, request, plan), self.parts)
        return bool(new)

    def _ask(self, request: Request) -> None:
        run = self.parts.runs.take(
            request.claim,
            lambda made: NewRun(replace(request, id=made), self.target.resource, self.now),
            self.now,
            lambda connection, made: self.parts.levels.asked(connection, made, self.now),
        )
        if run is not None:
            _log.info("level_asked", run=run, target=self.target.name, why=request.origin.why)

    def _wait(self, names: Mapping[str, object] | Sequence[str], saw: str) -> None:
        for name in names:
            self.parts.levels.waits((self.target.name, name), saw)


def _holding(book: RuleBook, target: str, now: float) -> dict[str, Standing]:
    """What holds for each attribute of a target of which a level says something now."""
    found = {
        name: standing(book.levels, (of, name), now)
        for of, name in book.levels.attributes
        if of == target
    }
    return {
        name: each
        for name, each in found.items()
        if any(part.by is not None for part in each.parts)
    }


def _origin(target: Target, move: _Move) -> Origin:
    by = leader(move.holds, move.goal.base, move.present)
    name = LEVEL if by is None else by.level.name
    beaten = "".join(f"; it beats {each}" for each in move.holds.beaten)
    more = ""
    if isinstance(move.goal.value, int) and move.goal.value != move.goal.base:
        more = f", and alerts have added {move.goal.value - int(move.goal.base)} to that"
    why = (
        f"{target.name} has {move.of} {move.present}, and {says(move.holds)} holds now"
        f"{more}{beaten}"
    )
    return Origin(LEVEL, name, why)
