"""One rule file at work on the alerts of the past: web, a worker and its rounds, in one thread.

Everything that waits for a time is a moment of the clock: runs that are queued for later, alerts
that are judged again, outcomes that are due, and the rounds of returns and levels. Between two of
them nothing happens, so the clock goes on to the next at once.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NoReturn

import sqlalchemy as sa

from service.backtest.model import Targets
from service.backtest.past import Together
from service.backtest.pretended import (
    CountingMessenger,
    CountingPager,
    Ids,
    NoBell,
    NoGate,
    NotedScenarios,
    SteadyLoad,
    VirtualClock,
)
from service.backtest.scores import Scores
from service.catalogue.context import Record
from service.catalogue.request_json import dump_request
from service.domain.decisions.approval import APPROVED, REJECTED, Approval
from service.domain.decisions.guards import ASKED_AGAIN
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StoreUnavailable
from service.domain.levels.acting import says
from service.domain.levels.applied import Applied
from service.domain.levels.resolve import changes, standing
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import RuleBook, Target
from service.engine.again import AT_ONCE, RESERVED_S
from service.engine.execution import execute
from service.engine.judging import JudgingRound
from service.engine.levels import ASK_EVERY_S as LEVELS_EVERY_S
from service.engine.levels import LevelRound
from service.engine.off_watch import OffWatch
from service.engine.outcomes import cooldown_end
from service.engine.parts import WorkerParts
from service.engine.returns import ReturnRound
from service.ports.admission import Delivery, NewDecision, NewRun, Receipt
from service.ports.approvals import Decided
from service.ports.runs import AskedRun, Outcome
from service.store import schema
from service.store.admissions import SqlJournal
from service.store.approvals import ApprovalStore
from service.store.controls import ControlStore
from service.store.coordination import Coordination
from service.store.costs import BudgetNoticeStore
from service.store.demotions import DemotionStore
from service.store.due import DueStore
from service.store.incidents import IncidentStore
from service.store.jobs import JobStore
from service.store.leases import LeaseStore
from service.store.ledger import LedgerStore
from service.store.leftovers import LeftoverStore
from service.store.levels import LevelStore
from service.store.offs import OffStore
from service.store.outbox import OutboxStore
from service.store.outcomes import OutcomeStore
from service.store.readings import ReadingStore
from service.store.runs import RunStore
from service.store.spend import SpendStore
from service.store.watchdogs import HeartbeatStore, WatchdogStore
from service.store.watches import WatchStore
from service.store.weeks import WeekStore
from service.triggers.alerts.admit import Admitter
from service.triggers.alerts.candidates import RulesInForce

RETURNS_EVERY_S = 60.0
"""How soon it is looked again whether something can be taken back, after a run or a step back."""
RETURNS_UNSURE_S = 300.0
"""The same while something holds that does not say until when, such as an alert that fires. A
worker looks every 10 s; a month of those would take minutes."""
LEVELS_WAIT_S, LEVELS_REST_S = 600.0, 86_400.0
"""How soon levels are looked at again: while one waits for something, and at the latest where all
is as they say and nothing else will hold before."""
_AGAIN_S = 1.0
"""The least time between two looks at what is judged again."""


class Approvals(StrEnum):
    """What people say to a plan that waits for them."""

    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is assumed where nothing is on record.

    `approvals` is what people say at once. `load` is what a return reads, in percent.
    """

    approvals: Approvals = Approvals.GRANTED
    load: float = 0.0


class Stopped(StoreUnavailable):
    """A part of the service would have ended its process: the backtest's own file fails."""


class _Runs(RunStore):
    """The runs, of which each end is counted."""

    ended: Callable[[str, Outcome, NewDecision | None], None]
    asked: Callable[[AskedRun, Request, Request], None]

    def conclude_asking(
        self, request: Request, outcome: Outcome, child: Request, now: float
    ) -> AskedRun:
        """End a run, once, and queue the run that it asks for."""
        found = super().conclude_asking(request, outcome, child, now)
        self.asked(found, request, child)
        return found

    def conclude(
        self,
        run_id: str,
        outcome: Outcome,
        now: float,
        decision: NewDecision | None = None,
        rules_hash: str = "",
        again: NewRun | None = None,
        *,
        if_wanted: bool = False,
    ) -> bool:
        """End a run, once."""
        done = super().conclude(
            run_id, outcome, now, decision, rules_hash, again, if_wanted=if_wanted
        )
        if done:
            self.ended(run_id, outcome, decision)
        return done


class _Approvals(ApprovalStore):
    """The approvals; `asked` are those that nobody has decided yet."""

    asked: list[str]

    def ask(
        self, request: Request, plan: Plan, why: str, terms: Approval, now: float
    ) -> str | None:
        """End the run as waiting, and ask."""
        found = super().ask(request, plan, why, terms, now)
        if found is not None:
            self.asked.append(found)
        return found


@dataclass(slots=True)
class _Times:
    """When the next look of each kind is due; None where there is nothing to look for."""

    due: float | None = None
    outcomes: float | None = None
    returns: float | None = None
    levels: float | None = None

    def first(self) -> float | None:
        known = [self.due, self.outcomes, self.returns, self.levels]
        return min((each for each in known if each is not None), default=None)


@dataclass
class Installation:
    """One rule book on an empty database, from a moment on (`clock`)."""

    engine: sa.Engine
    book: RuleBook
    targets: Targets
    clock: VirtualClock
    refire_grace_s: float
    assumed: Assumed = field(default_factory=Assumed)
    scores: Scores = field(default_factory=Scores)
    _queue: list[tuple[float, int, NewRun]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _running: str = ""
    _times: _Times = field(default_factory=_Times)

    def __post_init__(self) -> None:
        schema.metadata.create_all(self.engine)
        self._new_id = Ids(self.clock)
        self._approvals = _Approvals(self.engine, self._enqueue, NoBell())
        self._approvals.asked = []
        self._due = DueStore(self.engine)
        self._messenger = CountingMessenger()
        self._pager = CountingPager(lambda: self._running)
        self._admitter = self._made_admitter()
        self._parts = self._made_parts()
        self._judge = JudgingRound(self._parts)
        self._take_back = ReturnRound(self._parts)
        self._level = LevelRound(self._parts)
        self._expects = any(each.policy.expected is not None for each in self.book.rules)
        self._returns = any(each.policy.returns is not None for each in self.book.rules)
        if self.book.levels.levels:
            self._times.levels = self.clock.now
        for target in self._counted():
            self._parts.spend.saw(target.name, self.targets.monthly(target), self.clock.now)

    # ---- What happens ----

    def take(self, batch: Together) -> None:
        """Senders tell of their alerts. What was due before is done before."""
        self.go_to(batch.at)
        receipts = self._admitter.admit(batch.deliveries, batch.at)
        for receipt, pasts in zip(receipts, batch.pasts, strict=True):
            self.scores.admitted(receipt, pasts)
        if any(_waits(receipt) for receipt in receipts):
            self._look_ahead()
        self._work()

    def go_to(self, moment: float) -> None:
        """Let the time go on to a moment, and do all that is due until then."""
        while (at := self._next()) is not None and at <= moment:
            self.clock.go_to(at)
            self._work()
        self.clock.go_to(moment)

    def count(self, until: float) -> None:
        """The end: go on to it, and count what everything has cost."""
        self.go_to(until)
        self.scores.pages = self._pager.pages
        self.scores.messages = self._messenger.posted
        self.scores.dollars = self.targets.dollars(until)

    # ---- How it works ----

    def _next(self) -> float | None:
        first = self._times.first()
        if not self._queue:
            return first
        return self._queue[0][0] if first is None else min(first, self._queue[0][0])

    def _work(self) -> None:
        """Do all that is due now."""
        now, times = self.clock.now, self._times
        if times.due is not None and times.due <= now:
            self._judge_again()
        if times.outcomes is not None and times.outcomes <= now:
            self._judge(True)
            self._look_ahead()
        if times.levels is not None and times.levels <= now:
            self._hold_levels()
        if times.returns is not None and times.returns <= now:
            self._return()
        self._execute_due()

    def _execute_due(self) -> None:
        did = False
        while self._queue and self._queue[0][0] <= self.clock.now:
            self._execute(heapq.heappop(self._queue)[2].request)
            did = True
        if did:
            self._look_ahead()

    def _execute(self, request: Request) -> None:
        self._running = request.origin.by
        execute(self._parts, request.id, dump_request(request), _record)
        self._decide()
        self._running = ""

    def _decide(self) -> None:
        """People answer at once to what they are asked."""
        now, granted = self.clock.now, self.assumed.approvals is Approvals.GRANTED
        for approval in self._approvals.asked:
            asking = self._approvals.get(approval)
            if asking is None:
                continue
            self.scores.approvals += 1
            state = APPROVED if granted else REJECTED
            rests = now if granted else cooldown_end(now, asking.request.cooldown_s)
            decided = Decided(state, "backtest", "", now)
            known = self._approvals.decide(approval, decided, rests, _unaudited)
            self._approvals.told(approval, now)
            if known is not None and known.next_run:
                self.scores.approved(asking.run, known.next_run)
            else:
                self.scores.refused(asking.run)
        self._approvals.asked = []

    def _judge_again(self) -> None:
        """What held these alerts is over."""
        self._parts.controls.end_over(self.clock.now)
        for delivery in self._due.take(self.clock.now, AT_ONCE, RESERVED_S):
            receipts = self._admitter.admit([delivery], self.clock.now)
            for receipt in receipts:
                self.scores.admitted(receipt, ())
        self._look_ahead()
        if self._times.due is not None:
            self._times.due = max(self._times.due, self.clock.now + _AGAIN_S)

    def _hold_levels(self) -> None:
        """A level that begins is told in one round, and asked for in the next."""
        now = self.clock.now
        for late_s in (0.0, LEVELS_EVERY_S):
            self.clock.go_to(now + late_s)
            self._level(True)
            self._execute_due()
        self._times.levels = self._levels_again(now)

    def _levels_again(self, now: float) -> float:
        """When another level holds; sooner while one is not applied yet."""
        rows = self._parts.levels.rows()
        levels = replace(self.book.levels, baselines=self._parts.levels.baselines())
        for attribute in levels.attributes:
            holds, known = standing(levels, attribute, now), rows.get(attribute, Applied())
            says_something = any(part.by is not None for part in holds.parts)
            is_so = known.applied_says == says(holds) and not known.waits
            if says_something and not is_so:
                return now + LEVELS_WAIT_S
        rest = now + LEVELS_REST_S
        turns = [next(changes(levels, each, now, rest), None) for each in levels.attributes]
        return min([rest, *(at for at, _ in filter(None, turns))])

    def _return(self) -> None:
        """Take back what can be, and say when it is worth looking again."""
        queued = len(self._queue)
        self._take_back(True)
        asked, now = len(self._queue) > queued, self.clock.now
        if not any(each.additions for each in self._parts.ledger.entries()):
            self._times.returns = None
        elif asked:
            self._times.returns = now + RETURNS_EVERY_S
        else:
            known = [each for each in self._take_back.lets_go if each is not None]
            sure = known and len(known) == len(self._take_back.lets_go)
            unsure = [] if sure else [now + RETURNS_UNSURE_S]
            self._times.returns = max(now + RETURNS_EVERY_S, min([*known, *unsure]))

    def _look_ahead(self) -> None:
        """When the next is due of what the store knows."""
        self._times.due = self._due.next_due()
        if self._expects:
            query = sa.select(sa.func.min(schema.outcomes.c.next_at))
            with self.engine.connect() as connection:
                self._times.outcomes = connection.execute(query).scalar_one()

    def _ended(self, run: str, outcome: Outcome, decision: NewDecision | None) -> None:
        changed = self.scores.ended(run, outcome, decision, self.clock.now)
        if changed and self._returns:
            self._times.returns = self.clock.now + RETURNS_EVERY_S

    def _enqueue(self, _connection: sa.Connection, run: NewRun) -> None:
        self.scores.queued(run.request)
        at = self.clock.now + run.delay_s
        heapq.heappush(self._queue, (at, next(self._numbers), run))

    def _admit_again(self, deliveries: Sequence[Delivery]) -> None:
        self._admitter.admit(deliveries, self.clock.now)

    def _counted(self) -> tuple[Target, ...]:
        budget = self.book.policy.budget
        if budget is None:
            return ()
        return tuple(each for name, each in self.book.targets.items() if budget.covers(name))

    # ---- What it is made of ----

    def _made_admitter(self) -> Admitter:
        in_force = RulesInForce(self.book, RuleIndex(self.book))
        return Admitter(
            journal=SqlJournal(self.engine, self._enqueue),
            gate=NoGate(),
            rules=lambda: in_force,
            new_id=self._new_id,
            refire_grace_s=self.refire_grace_s,
        )

    def _made_parts(self) -> WorkerParts:
        engine, clock = self.engine, self.clock
        runs = _Runs(engine, self._enqueue)
        runs.ended, runs.asked = self._ended, self.scores.branched
        locks = Coordination(None, lambda: "backtest")
        return WorkerParts(
            runs=runs,
            scenarios=NotedScenarios(runs),
            incidents=IncidentStore(engine),
            # Nobody else works here, so no worker shows that it lives, and nothing waits.
            leases=LeaseStore(engine, 15.0, sa.select(sa.literal("")).where(sa.false())),
            locks=locks,
            lock_mirror=locks,
            offs=OffStore(engine),
            outbox=OutboxStore(engine),
            controls=ControlStore(engine, NoBell()),
            due=self._due,
            approvals=self._approvals,
            spend=SpendStore(engine),
            leftovers=LeftoverStore(engine),
            outcomes=OutcomeStore(engine),
            demotions=DemotionStore(engine, NoBell()),
            ledger=LedgerStore(engine),
            levels=LevelStore(engine),
            readings=ReadingStore(engine),
            watches=WatchStore(engine),
            jobs=JobStore(engine, self._enqueue),
            budget_notices=BudgetNoticeStore(engine),
            weeks=WeekStore(engine),
            watchdogs=WatchdogStore(engine),
            heartbeats=HeartbeatStore(engine, sa.select(sa.null(), sa.null())),
            off_watch=OffWatch(self._pager, clock),
            change_of=self.targets.change_of,
            work_of=self.targets.work_of,
            pager=self._pager,
            messenger=self._messenger,
            metrics=SteadyLoad(self.assumed.load),
            clock=clock,
            new_id=self._new_id,
            reconcile=lambda _run, _why, _delay_s: None,
            page_later=lambda _late, _delay_s: None,
            judge_again=self._admit_again,
            end_process=_stop,
            refire_grace_s=self.refire_grace_s,
            counted=self._counted,
            book=lambda: self.book,
        )


def _waits(receipt: Receipt) -> bool:
    """Whether something that it tells of is to be judged again by itself."""
    return any(
        each.decision.until is not None and each.decision.guard in ASKED_AGAIN
        for each in receipt.verdicts
    )


def _record(name: str, function: Callable[..., Record], *arguments: object) -> Record:
    """The step `name`: nothing crashes here, so nothing is recorded for another execution."""
    return function(*arguments)


def _unaudited(_connection: Any) -> None:
    """Nobody asks who did it."""


def _stop(sentence: str) -> NoReturn:
    raise Stopped(sentence)
