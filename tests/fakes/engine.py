"""A worker's outside in memory: what it keeps, what it shares, what it does, what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NoReturn

from service.catalogue.context import Intent, Record, StepContext, StepFunction
from service.catalogue.request_json import dump_request
from service.catalogue.spec import Change
from service.domain.alerts.alert import Alert, AlertStatus
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.controls import Control, PersonLock
from service.domain.decisions.decision import Check
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.links import Link
from service.domain.rules.rules import RuleBook, Target
from service.engine.execution import execute
from service.engine.off_watch import OffWatch, Vigil
from service.engine.parts import LatePage, WorkerParts
from service.ports import MessageRef, Page
from service.ports.admission import IncidentRecord, NewDecision, NewRun
from service.ports.runs import AskedRun, IncidentState, Outcome, Signs, StoredRun
from tests.fakes.approvals import FakeApprovals
from tests.fakes.clock import FakeClock
from tests.fakes.controls import FakeControls, FakeDue
from tests.fakes.costs import FakeBills, FakeBudgetNotices
from tests.fakes.demotions import FakeDemotions
from tests.fakes.jobs import FakeJobs
from tests.fakes.ledger import FakeLedger
from tests.fakes.leftovers import FakeLeftovers
from tests.fakes.levels import FakeLevels
from tests.fakes.offs import FakeOffs
from tests.fakes.outbox import FakeOutbox
from tests.fakes.outcomes import FakeOutcomes
from tests.fakes.readings import FakeReadings
from tests.fakes.spend import FakeSpend
from tests.fakes.telling import FakeMessenger, FakeMetrics, FakePager
from tests.fakes.watchdogs import FakeHeartbeat, FakeHeartbeats, FakeWatchdogs
from tests.fakes.watches import FakeWatches
from tests.fakes.weeks import FakeWeeks

ALERT = Alert("alertmanager", "f1", AlertStatus.FIRING, "High Memory Usage")
ME = "me"
"""The name of the worker."""
PLAN = Plan("size", "small", "large", ("change", "verify"), {"after": "large"})


class ProcessEnded(BaseException):
    """The process would have ended here."""


@dataclass(slots=True)
class FakeRuns:
    """Runs as the store keeps them. `down` makes every call fail, `conflicts` the next ones;
    `outcomes` are the ended ones. `refuses` makes ending a run fail once, `unreadable` reading it.
    `cancels` are who cancelled which run. `holds` is what holds the first write of each.
    """

    rows: dict[str, StoredRun] = field(default_factory=dict)
    open: set[str] = field(default_factory=lambda: {"alert-1"})
    known: set[str] = field(default_factory=lambda: {"alert-1", "alert-2"})
    ended_at: dict[str, float] = field(default_factory=dict)
    intents: dict[tuple[str, str], float] = field(default_factory=dict)
    steps: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    decisions: list[NewDecision] = field(default_factory=list)
    again: list[NewRun] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    settles: dict[str, float] = field(default_factory=dict)
    checks: dict[str, tuple[Check, ...]] = field(default_factory=dict)
    down: bool = False
    conflicts: int = 0
    refuses: Exception | None = None
    unreadable: set[str] = field(default_factory=set)
    cancels: dict[str, str] = field(default_factory=dict)
    entered: list[str] = field(default_factory=list)
    holds: Check | None = None

    def add(self, request: Request, partition: str = "do-droplet:101") -> None:
        """Queue a run."""
        claim = request.id.rpartition(".")[0]
        self.rows[request.id] = StoredRun(
            request.id, claim, partition, "queued", 0, request, None, None
        )

    def begin(self, run_id: str, now: float) -> int:
        row = self.rows[run_id]
        status = row.status if run_id in self.outcomes else "running"
        self._change(run_id, attempt=row.attempt + 1, status=status)
        return self.rows[run_id].attempt

    def attempt(self, run_id: str) -> int:
        self._refuse_when_down()
        return self.rows[run_id].attempt

    def cancelled(self, run_id: str) -> str:
        self._refuse_when_down()
        return self.cancels.get(run_id, "")

    def enter(self, request: Request, now: float) -> Check | None:
        self._refuse_when_down()
        if request.id in self.entered:
            return None
        if self.holds is None:
            self.entered.append(request.id)
        return self.holds

    def take(
        self,
        claim: str,
        make: Callable[[str], NewRun],
        now: float,
        beside: Callable[[Any, Request], None] = lambda _connection, _request: None,
    ) -> str | None:
        self._refuse_when_down()
        runs = [each for each in self.rows.values() if each.claim == claim]
        last = self.outcomes.get(runs[-1].id) if runs else None
        if runs and (last is None or last.cooldown_until > now):
            return None
        made = make(f"{claim}.{len(runs) + 1}")
        self.add(made.request, made.partition)
        beside(None, made.request)
        return made.request.id

    def intend(self, run_id: str, name: str, now: float) -> Intent:
        self._refuse_when_down()
        repeated = (run_id, name) in self.intents
        return Intent(name, self.intents.setdefault((run_id, name), now), repeated)

    def intended(self, run_id: str, name: str) -> bool:
        self._refuse_when_down()
        return (run_id, name) in self.intents

    def wrote(self, run_id: str) -> bool:
        self._refuse_when_down()
        return any(run == run_id for run, _ in self.intents)

    def withdraw(self, run_id: str, name: str, attempt: int) -> None:
        self._refuse_when_down()
        if self.rows[run_id].attempt == attempt:
            self.intents.pop((run_id, name), None)

    def fruitless_before(self, run_id: str, since: float) -> int:
        self._refuse_when_down()
        count = 0
        same = self._same_work(run_id)
        for earlier in reversed(same[: same.index(run_id)] if same else []):
            if self.ended_at.get(earlier, since) <= since or self.rows[earlier].plan is None:
                continue
            if self.outcomes[earlier].status == "succeeded" or self.wrote(earlier):
                break
            count += 1
        return count

    def failures_before(self, run_id: str) -> list[str]:
        self._refuse_when_down()
        same = self._same_work(run_id)
        found: list[str] = []
        for earlier in reversed(same[: same.index(run_id)] if same else []):
            status = self.outcomes[earlier].status if earlier in self.outcomes else ""
            if status == "succeeded":
                break
            found += [earlier] if status == "failed" else []
        return found

    def succeeded_since(self, run_id: str) -> bool:
        self._refuse_when_down()
        same = self._same_work(run_id)
        later = same[same.index(run_id) :] if run_id in same else []
        return any(
            one in self.outcomes and self.outcomes[one].status == "succeeded" for one in later
        )

    def _same_work(self, run_id: str) -> list[str]:
        """The runs on the same target in the same direction; none for a page or a message."""
        mine = self.rows[run_id].request
        return [
            each
            for each, row in self.rows.items()
            if mine.on is not None
            and row.request.on is not None
            and row.request.target.name == mine.target.name
            and row.request.direction == mine.direction
        ]

    def step_began(self, run_id: str, position: int, name: str, attempt: int, now: float) -> None:
        self._refuse_when_down()
        self.steps[run_id, position] = (name, "running")

    def step_ended(
        self, run_id: str, position: int, status: str, detail: Mapping[str, Any], now: float
    ) -> None:
        self._refuse_when_down()
        self.steps[run_id, position] = (self.steps[run_id, position][0], status)

    def set_checks(self, run_id: str, checks: Sequence[Check]) -> None:
        self._refuse_when_down()
        self.checks[run_id] = tuple(checks)

    def set_plan(self, run_id: str, plan: Plan) -> None:
        self._change(run_id, plan=plan)

    def set_message(self, run_id: str, ref: MessageRef) -> None:
        self._change(run_id, message=ref)

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
        self._refuse_when_down()
        if self.refuses is not None:
            refusal, self.refuses = self.refuses, None
            raise refusal
        if run_id in self.outcomes:
            return False
        changes = again is not None and again.request.on is not None
        if run_id in self.cancels and (changes or outcome.due_at is not None):
            raise StoreConflict(f"run {run_id} cannot go on")
        self.outcomes[run_id] = outcome
        self.ended_at[run_id] = now
        self._change(run_id, status=outcome.status)
        self.decisions += [decision] if decision else []
        if again and not (if_wanted and not self.any_open(again.request.origin.alerts)):
            self.again.append(again)
        return True

    def conclude_asking(
        self, request: Request, outcome: Outcome, child: Request, now: float
    ) -> AskedRun:
        self._refuse_when_down()
        if request.id in self.cancels:
            status, reason = "cancelled", self.cancels[request.id]
            self.conclude(request.id, Outcome(status, reason, now), now)
            return AskedRun(status, reason, now, held=reason)
        run = f"{child.claim}.1"
        if request.id not in self.outcomes:
            reason = f"{outcome.reason} was asked for (run {run})"
            outcome = Outcome(outcome.status, reason, outcome.cooldown_until)
            self.conclude(request.id, outcome, now)
            self.asked.append(replace(child, id=run))
        known = self.outcomes[request.id]
        return AskedRun(known.status, known.reason, known.cooldown_until, run)

    def still_wanted(self, request: Request, now: float) -> bool:
        return self.any_open(request.origin.alerts)

    def any_open(self, episodes: Sequence[str]) -> bool:
        self._refuse_when_down()
        return bool(self.open & set(episodes))

    def alerts(self, episodes: Sequence[str]) -> list[tuple[Alert, bool]]:
        self._refuse_when_down()
        return [(ALERT, each in self.open) for each in episodes if each in self.known | self.open]

    def unfinished(self) -> list[str]:
        self._refuse_when_down()
        return [run_id for run_id in self.rows if run_id not in self.outcomes]

    def get(self, run_id: str) -> StoredRun | None:
        self._refuse_when_down()
        if run_id in self.unreadable:
            raise KeyError("action")
        return self.rows.get(run_id)

    def settles_until(self, target: str, *, adds: bool = True) -> float:
        self._refuse_when_down()
        return self.settles.get(target, 0.0)

    def last_by_target(self) -> list[tuple[str, str, str]]:
        self._refuse_when_down()
        ended = {
            row.request.target.name: self.outcomes[run_id]
            for run_id, row in self.rows.items()
            if row.request.on is not None and run_id in self.outcomes
        }
        return [(name, outcome.status, outcome.reason) for name, outcome in ended.items()]

    def _change(self, run_id: str, **changes: Any) -> None:
        self._refuse_when_down()
        self.rows[run_id] = replace(self.rows[run_id], **changes)

    def _refuse_when_down(self) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise StoreConflict("others wrote the same rows first")
        if self.down:
            raise StoreUnavailable("the database cannot be used now")


@dataclass(slots=True)
class FakeIncidents:
    """Incidents by key; `meanwhile` happens right after one was read. `open` are the episodes that
    fire; `enlisted` notes which incidents were kept because of which."""

    states: dict[str, IncidentState] = field(default_factory=dict)
    open: set[str] = field(default_factory=lambda: {"alert-1"})
    enlisted: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def state(self, dedup_key: str) -> IncidentState | None:
        found = self.states.get(dedup_key)
        self.meanwhile()
        return found

    def mark(self, dedup_key: str, *, paged: bool, message: MessageRef | None = None) -> None:
        if dedup_key not in self.states:
            return
        state = self.states[dedup_key]
        self.states[dedup_key] = replace(
            state,
            incident=replace(state.incident, paged=paged),
            message=message or state.message,
        )

    def enlist(self, dedup_key: str, rule: str, severity: str, episodes: Sequence[str]) -> None:
        alerts = tuple(ALERT for each in episodes if each in self.open)
        record = IncidentRecord(dedup_key, rule, severity, "alertmanager", "", {}, paged=True)
        self.states[dedup_key] = IncidentState(record, len(alerts), alerts, None, None)
        self.enlisted.append((dedup_key, tuple(episodes)))


@dataclass(slots=True)
class FakeLeases:
    """Workers by name: True while they are alive. `silent` ones' leases are over. `signs` are what
    the next sign of life shows."""

    alive: dict[str, bool] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    down: bool = False
    signs: Signs = field(default_factory=Signs)
    forgotten: bool = False

    def register(self, executor: str, host: str, pid: int) -> None:
        self.alive[executor] = True

    def renew(self, executor: str) -> Signs | None:
        if self.down:
            raise StoreUnavailable("the database cannot be used now")
        return self.signs if self.alive.get(executor) else None

    def retire(self, executor: str) -> None:
        self.alive[executor] = False

    def retire_dead(self, besides: str = "") -> list[str]:
        dead = sorted(each for each in self.silent - {besides} if self.alive.get(each))
        self.alive.update(dict.fromkeys(dead, False))
        return dead

    def unretired(self) -> list[str]:
        return [each for each, alive in self.alive.items() if alive]

    def forget_old(self, keep_s: float) -> None:
        """Nothing is that old; that it was asked for is noted."""
        self.forgotten = True


@dataclass(slots=True)
class FakeLocks:
    """Who holds which resource, and how long claims rest, each after which run."""

    owners: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    cooldowns: dict[str, float] = field(default_factory=dict)
    installation: str = "0a1b2c3d"
    people: dict[tuple[str, str], Control] = field(default_factory=dict)
    """What people have locked, by resource and installation; several installations may share it."""
    away: bool = False

    def lock(self, resource: str, run: str) -> str | None:
        if self.owners.get(resource) != run and (elsewhere := self.locked_elsewhere(resource)):
            return elsewhere
        holder = self.owners.setdefault(resource, run)
        return None if holder == run else holder

    def unlock(self, resource: str, run: str) -> None:
        if self.owners.get(resource) == run:
            del self.owners[resource]

    def locked_elsewhere(self, resource: str) -> str | None:
        for (locked, installation), each in self.people.items():
            if locked == resource and installation != self.installation:
                return PersonLock(installation, each.by, each.why, each.until).owner
        return None

    def show(self, resources: Collection[str], locks: Mapping[str, Control], now: float) -> bool:
        if self.away:
            return False
        for each in resources:
            self.people.pop((each, self.installation), None)
            if each in locks and locks[each].in_force(now):
                self.people[each, self.installation] = locks[each]
        return True

    def cool_down(self, key: str, run: str, until: float, now: float) -> None:
        if until >= BUSY_UNTIL or self.after.get(key, run) != run:
            return
        if until > now:
            self.cooldowns[key], self.after[key] = until, run
        else:
            self.cooldowns.pop(key, None)
            self.after.pop(key, None)


@dataclass(slots=True)
class FakeChange:
    """An action with two steps. `value` is the target's; `fails` maps a step to what it raises;
    `names` are the steps that a plan names."""

    value: str = "small"
    held: PlanHeld | None = None
    unseen: Exception | None = None
    unsafe: Exception | None = None
    fails: dict[str, Exception] = field(default_factory=dict)
    wanted: str = "large"
    prices: tuple[float | None, float | None] = (None, None)
    shows: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = PLAN.steps
    made_safe: int = 0
    on_safe: Callable[[], object] = lambda: None
    before_write: Callable[[], None] = lambda: None
    changes: list[str] = field(default_factory=list)

    def observe(self, target: Target) -> Record:
        if self.unseen is not None:
            raise copy(self.unseen)
        return {"value": self.value, **self.shows}

    def state(self, observed: Mapping[str, Any]) -> dict[str, int | str]:
        """The size that a look has found."""
        return {"size": observed["value"]}

    def plan(self, request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
        before = observed["value"]
        low, high = self.prices
        plan = replace(PLAN, before=before, after=self.wanted, steps=self.names)
        return self.held or replace(plan, price_before=low, price_after=high)

    def steps(self) -> Mapping[str, StepFunction]:
        return {"change": self._change, "verify": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        if self.unsafe is not None:
            raise copy(self.unsafe)
        self.made_safe += 1
        self.on_safe()
        return f"It is on at {self.value}."

    def _change(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        if "before" in self.fails:
            raise copy(self.fails["before"])
        context.intent("change")
        self.before_write()
        context.fence()
        if "change" in self.fails:
            raise copy(self.fails["change"])
        self.changes.append("change")
        self.value = plan.after
        return {"value": self.value}

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        if "verify" in self.fails:
            raise copy(self.fails["verify"])
        return {"value": self.value}


@dataclass(slots=True)
class Recorder:
    """Recorded steps of one run, as JSON; an error is recorded as well, a process's end is not."""

    records: dict[str, Record | Exception] = field(default_factory=dict)
    dies_after: str = ""
    broken: Exception | None = None

    def __call__(self, name: str, function: Callable[..., Record], *arguments: object) -> Record:
        if name not in self.records:
            self.records[name] = self._call(function, *arguments)
            if self.broken is not None:
                raise self.broken
        if name == self.dies_after:
            self.dies_after = ""
            raise ProcessEnded(name)
        record = self.records[name]
        if isinstance(record, Exception):
            raise record
        return record

    def _call(self, function: Callable[..., Record], *arguments: object) -> Record | Exception:
        try:
            record: Record = json.loads(json.dumps(function(*arguments)))
        except Exception as error:
            return error
        return record


@dataclass(slots=True)
class Meanwhile(Recorder):
    """Steps, of which something else happens right before the one that is named."""

    before: str = ""
    happens: Callable[[], object] = lambda: None

    def __call__(self, name: str, function: Callable[..., Record], *arguments: object) -> Record:
        if name == self.before:
            self.happens()
        return Recorder.__call__(self, name, function, *arguments)


@dataclass(slots=True)
class FlakyPager(FakePager):
    """A pager that answers with `problem` while it has one; `tries` counts the pages sent.

    `hangs` is called first: it may let time go by, and raise."""

    problem: Exception | None = None
    tries: int = 0
    hangs: Callable[[], None] = lambda: None
    on_taken: Callable[[], object] = lambda: None

    def trigger(self, page: Page) -> None:
        self.tries += 1
        self._refuse()
        FakePager.trigger(self, page)
        self.on_taken()

    def resolve(self, dedup_key: str) -> None:
        self._refuse()
        FakePager.resolve(self, dedup_key)

    def change(
        self,
        summary: str,
        source: str,
        details: Mapping[str, Any],
        links: Sequence[Link] = (),
    ) -> None:
        self._refuse()
        FakePager.change(self, summary, source, details)

    def _refuse(self) -> None:
        self.hangs()
        if self.problem is not None:
            raise copy(self.problem)


@dataclass(slots=True)
class FakeWorker:
    """The parts of a worker, all in memory. `looks` are the fresh looks that were queued, `late`
    the pages."""

    clock: FakeClock = field(default_factory=FakeClock)
    runs: FakeRuns = field(default_factory=FakeRuns)
    incidents: FakeIncidents = field(default_factory=FakeIncidents)
    leases: FakeLeases = field(default_factory=FakeLeases)
    locks: FakeLocks = field(default_factory=FakeLocks)
    offs: FakeOffs = field(default_factory=FakeOffs)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    change: FakeChange = field(default_factory=FakeChange)
    pager: FlakyPager = field(default_factory=FlakyPager)
    messenger: FakeMessenger = field(default_factory=FakeMessenger)
    looks: list[tuple[str, str, float]] = field(default_factory=list)
    late: list[tuple[LatePage, float]] = field(default_factory=list)
    ended_because: list[str] = field(default_factory=list)
    off_watch: OffWatch = field(init=False)
    controls: FakeControls = field(default_factory=FakeControls)
    due: FakeDue = field(default_factory=FakeDue)
    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    spend: FakeSpend = field(default_factory=FakeSpend)
    leftovers: FakeLeftovers = field(default_factory=FakeLeftovers)
    outcomes: FakeOutcomes = field(default_factory=FakeOutcomes)
    demotions: FakeDemotions = field(default_factory=FakeDemotions)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    levels: FakeLevels = field(default_factory=lambda: FakeLevels(rules="0123456789ab"))
    readings: FakeReadings = field(default_factory=FakeReadings)
    watches: FakeWatches = field(default_factory=FakeWatches)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    bills: FakeBills = field(default_factory=FakeBills)
    notices: FakeBudgetNotices = field(default_factory=FakeBudgetNotices)
    weeks: FakeWeeks = field(default_factory=FakeWeeks)
    watchdogs: FakeWatchdogs = field(init=False)
    heartbeats: FakeHeartbeats = field(default_factory=FakeHeartbeats)
    heartbeat: FakeHeartbeat | None = None
    book: RuleBook | None = None
    metrics: FakeMetrics | None = None
    counted: tuple[Target, ...] = ()
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    watching: bool = False
    """Whether the watches over droplets that are off work while the clock moves."""

    def __post_init__(self) -> None:
        self.off_watch = OffWatch(self.pager, self.clock, begin=self._begin)
        self.watchdogs = FakeWatchdogs(self.outbox)
        self.clock.watchers.clear()

    def _begin(self, vigil: Vigil) -> None:
        if self.watching:
            self.clock.watchers.append(vigil.step)

    @property
    def parts(self) -> WorkerParts:
        return WorkerParts(
            runs=self.runs,
            incidents=self.incidents,
            leases=self.leases,
            locks=self.locks,
            lock_mirror=self.locks,
            offs=self.offs,
            outbox=self.outbox,
            controls=self.controls,
            due=self.due,
            approvals=self.approvals,
            spend=self.spend,
            leftovers=self.leftovers,
            outcomes=self.outcomes,
            demotions=self.demotions,
            ledger=self.ledger,
            levels=self.levels,
            readings=self.readings,
            watches=self.watches,
            jobs=self.jobs,
            bills=(self.bills,),
            budget_notices=self.notices,
            weeks=self.weeks,
            watchdogs=self.watchdogs,
            heartbeats=self.heartbeats,
            heartbeat=self.heartbeat,
            book=lambda: self.book,
            counted=lambda: self.counted,
            judge_again=self.due.judge,
            off_watch=self.off_watch,
            change_of=lambda ask: Change(self.change.plan, self.change, self.change.state),
            work_of=lambda target: self.change,
            pager=self.pager,
            messenger=self.messenger,
            metrics=self.metrics,
            clock=self.clock,
            new_id=lambda prefix: f"{prefix}_{next(self.numbers)}",
            reconcile=lambda run, why, delay: self.looks.append((run, why, delay)),
            page_later=lambda late, delay: self.late.append((late, delay)),
            end_process=self._end,
            refire_grace_s=120.0,
            executor=ME,
        )

    def execute(self, request: Request, steps: Recorder | None = None) -> Recorder:
        """One execution of a run; a new recorder is a run that was never begun."""
        steps = steps or Recorder()
        if request.id not in self.runs.rows:
            self.runs.add(request)
        execute(self.parts, request.id, dump_request(request), steps)
        return steps

    def said(self) -> list[str]:
        """What all messages read now, titles first."""
        return [f"{each.title} | {each.text}" for each in self.messenger.messages.values()]

    def _end(self, sentence: str) -> NoReturn:
        self.ended_because.append(sentence)
        raise ProcessEnded(sentence)
