"""An installation in one thread: the real stores and the real engine, with vendors in memory.

Each execution of a run is a greenlet. It gives way wherever something else may happen at the same
time: before a step, between a step and its record, after the record, while it sleeps, and before
it reads at a vendor. So executions interleave in any order, one can die at any of these places, and
a stopped one can go on after another has taken its run up. All of it is repeatable.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
from greenlet import getcurrent, greenlet
from sqlalchemy import event

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.registry import change_of, kind_spec
from service.catalogue.request_json import dump_request
from service.catalogue.spec import LooksForRequest, Tools, Work
from service.catalogue.steps.timings import Timings
from service.catalogue.unused import needed_by
from service.domain.decisions.decision import Check
from service.domain.decisions.decision_tree import Question
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import RETURN, Request
from service.domain.error_json import dump_error, load_error
from service.domain.errors import FailureKind
from service.domain.people import Person, Role
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import RuleBook, Target
from service.domain.scenarios.going import ENDED, ScenarioNow
from service.engine.again import AgainRound
from service.engine.approvals import ApprovalRound
from service.engine.durable import waiting_query
from service.engine.execution import execute
from service.engine.looks import LookRound
from service.engine.off_watch import OffWatch
from service.engine.parts import RunLost, WorkerParts
from service.engine.returns import ReturnRound
from service.engine.scenarios import ScenarioRound
from service.messages.investigate import EXPRESSIONS
from service.ports.admission import Delivery, NewDecision, NewRun
from service.ports.app_platform import AppState, Deployment
from service.ports.runs import Outcome
from service.ports.scenarios import Looked, Shown, Step, Taken
from service.ports.supabase import ComputeState
from service.store.admissions import SqlJournal
from service.store.approvals import ApprovalStore
from service.store.audit import recorded
from service.store.controls import ControlStore
from service.store.costs import BudgetNoticeStore
from service.store.database import open_engine
from service.store.demotions import DemotionStore
from service.store.due import DueStore
from service.store.facts import FactStore
from service.store.ids import new_id
from service.store.incidents import IncidentStore
from service.store.jobs import JobStore
from service.store.ledger import LedgerStore
from service.store.levels import LevelStore
from service.store.outcomes import OutcomeStore
from service.store.readings import ReadingStore
from service.store.runs import RunStore
from service.store.scenarios import ScenarioStore
from service.store.spend import SpendStore
from service.store.watchdogs import HeartbeatStore, WatchdogStore
from service.store.watches import WatchStore
from service.store.weeks import WeekStore
from service.triggers.alerts.admit import Admitter
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.people.people import People
from tests.fakes.alerts import GRACE_S, NOW
from tests.fakes.apps import SIZES, FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.clusters import FakeClusters
from tests.fakes.database import PRICES, FakeDatabase
from tests.fakes.engine import FakeLeases, FakeLocks, ProcessEnded
from tests.fakes.faults import ProcessDied, vendor_error
from tests.fakes.journal import MemoryGate
from tests.fakes.leftovers import FakeLeftovers
from tests.fakes.offs import FakeOffs
from tests.fakes.outbox import FakeOutbox
from tests.fakes.telling import FakeMessenger, FakeMetrics, FakePager, FakeProbe
from tests.fakes.zones import FakeZones
from tests.properties.witness import Look, Values, Witness

T = TypeVar("T")
OLGA = Person("olga", frozenset({Role.OPERATOR}))
PAUL = Person("paul", frozenset({Role.OPERATOR, Role.APPROVER}))

FAULTS: Mapping[str, tuple[str, Callable[[], BaseException]]] = {
    "refused for now": ("before", lambda: vendor_error(FailureKind.TEMPORARY, retry_after=400.0)),
    "refused for good": ("before", lambda: vendor_error(FailureKind.PERMANENT)),
    "not taken, no answer": ("before", lambda: vendor_error(FailureKind.UNKNOWN)),
    "taken, no answer": ("after", lambda: vendor_error(FailureKind.UNKNOWN)),
    "dies before it": ("before", ProcessDied),
    "dies after it": ("after", ProcessDied),
}
"""What may become of the next write: before or after it took effect."""


def give_way(at: str = "") -> None:
    """Let others go on, where an execution is running; else nothing. `at` names the place."""
    mine = getcurrent()
    if mine.parent is not None:
        if (by := present()) is not None:
            by.at = at
        mine.parent.switch()


class SharedClock(FakeClock):
    """One time for all. An execution that sleeps gives way, and wakes once its time has come."""

    def sleep(self, seconds: float) -> None:
        wakes_at = self.now + max(0.0, seconds)
        give_way()
        self.now = max(self.now, wakes_at)


@dataclass
class Execution:
    """One execution of a run, or a round that looks at vendors. `looks` are its looks, `at` is
    where it gave way: `done:conclude` is after that step and before its record."""

    name: str
    body: Callable[[], object]
    at: str = ""
    over: bool = False
    died: bool = False
    looks: dict[str, Look] = field(default_factory=dict)
    thread: greenlet = field(init=False)

    def __post_init__(self) -> None:
        self.thread = greenlet(self._live)
        _EXECUTIONS[self.thread] = self

    def go(self, turns: int) -> None:
        """Let it go on until it has given way so many times, or is over."""
        for _ in range(turns):
            if self.over:
                return
            self.thread.switch()

    def go_to(self, at: str) -> None:
        """Let it go on until it gives way there."""
        while not self.over and self.at != at:
            self.thread.switch()
        assert self.at == at, f"it never came to {at}"

    def die(self) -> None:
        """Its process is killed where it gave way."""
        if not self.over and self.thread:
            self.thread.throw(ProcessDied())
        self.over = self.died = True

    def _live(self) -> None:
        try:
            self.body()
        except (ProcessDied, ProcessEnded):
            self.died = True
        finally:
            self.over = True
            _EXECUTIONS.pop(self.thread, None)


_EXECUTIONS: dict[greenlet, Execution] = {}


def present() -> Execution | None:
    """The execution that is running now."""
    return _EXECUTIONS.get(getcurrent())


@dataclass
class Workflow:
    """A run that was taken off the queue: its records outlive its executions."""

    run: NewRun
    records: dict[str, Any] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether an execution has come to its end."""
        return any(each.over and not each.died for each in self.executions)

    @property
    def abandoned(self) -> bool:
        """Whether no execution is left of a run that is not done."""
        return not self.done and all(each.over for each in self.executions)

    def record(self, name: str, function: Callable[..., Record], *arguments: object) -> Record:
        """As the library: the record of a step, from now or from before a crash."""
        give_way(f"begun:{name}")
        if name not in self.records:
            kept = self._call(function, *arguments)
            give_way(f"done:{name}")
            if name in self.records:
                raise RunLost(f"step {name} was recorded by another execution")
            self.records[name] = kept
        give_way(f"recorded:{name}")
        kept = self.records[name]
        if "error" in kept:
            raise load_error(kept["error"])
        value: Record = kept["value"]
        return value

    def _call(self, function: Callable[..., Record], *arguments: object) -> dict[str, Any]:
        try:
            return {"value": dict(function(*arguments))}
        except Exception as error:
            return {"error": dump_error(error)}


class Apps(FakeApps):
    """An app whose writes are witnessed."""

    witness: Witness

    def get_app(self, app_id: str) -> AppState:
        give_way()
        return super().get_app(app_id)

    def list_deployments(self, app_id: str) -> Sequence[Deployment]:
        give_way()
        return super().list_deployments(app_id)

    def update_app(self, app_id: str, spec: Mapping[str, Any]) -> str:
        return self.writes.send("update_app", lambda: self._take(spec), self.clock.time())

    def values(self) -> Values:
        """What the component is to be, as it is specified: while the vendor scales it, at most."""
        found = self.specified("api")
        most = found.get("autoscaling", {}).get("max_instance_count")
        return {
            "replicas": found["instance_count"] if most is None else most,
            "size": found["instance_size_slug"],
        }

    def dollars(self) -> float:
        """What that costs."""
        each = {size.slug: size.price_monthly for size in SIZES}
        found = self.values()
        return each[str(found["size"])] * int(found["replicas"])

    def person_sets(self, **values: int | str) -> None:
        """A person changes the component in the vendor's control panel."""
        spec = {**self.spec, "services": [dict(each) for each in self.spec["services"]]}
        spec["services"][0].update(values)
        self.deploy(spec)
        self.witness.person_set("api", self.values())

    def _take(self, spec: Mapping[str, Any]) -> str:
        before, by = self.values(), present()
        deployed = self.deploy(spec)
        name = by.name if by is not None else "nobody"
        self.witness.wrote("api", name, before, self.values(), self.dollars())
        return deployed


class Database(FakeDatabase):
    """A project whose writes are witnessed."""

    witness: Witness

    def get(self, project: str) -> ComputeState:
        give_way()
        return super().get(project)

    def resize(self, project: str, variant: str) -> None:
        self._require(project)
        self.writes.send("resize", lambda: self._take(variant), self.clock.time())

    def person_sets(self, variant: str) -> None:
        """A person resizes it at the vendor's dashboard, where the vendor takes that."""
        self._settle()
        if self.status == "ACTIVE_HEALTHY" and variant != self.variant:
            self.start(variant)
            self.witness.person_set("database", {"size": variant})

    def _take(self, variant: str) -> None:
        before, by = {"size": self.variant}, present()
        self.start(variant)
        name = by.name if by is not None else "nobody"
        self.witness.wrote("database", name, before, {"size": variant}, PRICES[variant])


@dataclass(frozen=True)
class Looking:
    """The work of a kind, whose looks are noted."""

    work: Work
    witness: Witness
    cost: Callable[[Mapping[str, Any]], float | None]

    def observe(self, target: Target) -> Record:
        return self._noted(target, lambda: self.work.observe(target))

    def observe_for(self, request: Request) -> Record:
        work = self.work
        if isinstance(work, LooksForRequest):
            return self._noted(request.target, lambda: work.observe_for(request))
        return self.observe(request.target)

    def _noted(self, target: Target, observe: Callable[[], Record]) -> Record:
        event, by = self.witness.event(), present()
        seen = observe()
        if by is not None:
            by.looks[target.name] = Look(event, self.cost(seen) or 0.0)
        give_way("looked")  # its answer is on its way
        return seen

    def steps(self) -> Mapping[str, StepFunction]:
        return self.work.steps()

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        return self.work.make_safe(context, plan)


class WitnessedRuns(RunStore):
    """The runs, where a witness stands at the last fence and at the end."""

    installation: Installation

    def enter(self, request: Request, now: float) -> Check | None:
        held = super().enter(request, now)
        self.installation.read_controls()
        if held is None:
            run = self.get(request.id)
            assert run is not None
            assert run.plan is not None
            if request.origin.kind == RETURN:
                asking = self.installation.fires(*self.installation.asks_for(request.target.name))
                self.installation.witness.takes_back(request, asking)
            self.installation.witness.may_write(request, run.plan, now)
        else:
            self.installation.witness.was_held(request, held)
        return held

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
        queued = len(self.installation.waiting)
        ended = super().conclude(
            run_id, outcome, now, decision, rules_hash, again, if_wanted=if_wanted
        )
        self.installation.witness.run_ended(run_id)
        if ended and (again is not None or outcome.due_at is not None):
            self.installation.witness.went_on(run_id, self.cancelled(run_id))
        if ended and again is not None and not if_wanted:
            self.installation.witness.tried_again(
                run_id, queued=len(self.installation.waiting) > queued
            )
        return ended

    def set_plan(self, run_id: str, plan: Plan) -> None:
        super().set_plan(run_id, plan)
        by = present()
        run = self.get(run_id)
        if by is not None and run is not None:
            look = by.looks.get(run.request.target.name)
            self.installation.witness.planned[run_id] = look.event if look else 0


class WitnessedSpend(SpendStore):
    """The record of costs; what a look of this execution has shown is known from now on."""

    witness: Witness

    def saw(self, target: str, dollars_month: float | None, now: float) -> None:
        super().saw(target, dollars_month, now)
        by = present()
        if by is not None and target in by.looks:
            self.witness.saw(target, by.looks[target])


class PausingScenarios(ScenarioStore):
    """The scenarios, where a worker that looks at one may die before and after each statement."""

    def take(self, now: float, hold_s: float) -> Taken | None:
        give_way("begun:take")
        taken = super().take(now, hold_s)
        give_way("done:take")
        return taken

    def advance(self, run: str, decide: Callable[[Looked], Step], at: float) -> ScenarioNow | None:
        give_way("begun:advance")
        now = super().advance(run, decide, at)
        give_way("done:advance")
        return now

    def shown(self, run: str) -> Shown | None:
        shown = super().shown(run)
        give_way("done:shown")
        return shown

    def begin_telling(self, run: str, now: float, until: float) -> Shown | None:
        give_way("begun:begin_telling")
        shown = super().begin_telling(run, now, until)
        give_way("done:begin_telling")
        return shown

    def told(self, run: str, told: str, paged: str) -> None:
        give_way("begun:told")
        super().told(run, told, paged)
        give_way("done:told")

    def put_back(self, taken: Taken, next_at: float | None) -> None:
        give_way("begun:put_back")
        super().put_back(taken, next_at)
        give_way("done:put_back")


class RungBell:
    """Remembers that it was rung."""

    rung = False

    def within(self, connection: Any) -> None:
        """The notification is sent with the commit."""

    def committed(self) -> None:
        self.rung = True

    def ring(self) -> None:
        self.rung = True


@contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    """A database that need not outlive a power cut."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _fast(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
            connection.cursor().execute("PRAGMA synchronous=OFF")

    try:
        yield engine
    finally:
        engine.dispose()


class Installation:
    """Web, workers and people on one database. `ports` are of kinds beside those of its own."""

    def __init__(
        self, engine: sa.Engine, book: RuleBook, ports: Mapping[str, object] | None = None
    ) -> None:
        self._ports = ports or {}
        self.engine = engine
        self.book = book
        self.clock = SharedClock(NOW)
        least = {"api": 2}
        self.witness = Witness(self.clock, book.policy, least)
        self.apps, self.database = Apps(self.clock), Database(self.clock, begins_s=0.0)
        self.zones = FakeZones(self.clock)
        self.clusters = FakeClusters(self.clock)
        self.apps.witness = self.database.witness = self.witness
        self.metrics = FakeMetrics({EXPRESSIONS[Question.CPU]: 90.0})
        self.waiting: list[tuple[float, NewRun]] = []
        self.under_way: dict[str, Workflow] = {}
        """By partition."""
        self.others: list[Execution] = []
        """Executions whose run has ended, or that belong to none."""
        self.bell = RungBell()
        self._numbers = itertools.count()
        self._build()

    def _build(self) -> None:
        engine, clock, witness = self.engine, self.clock, self.witness
        runs = WitnessedRuns(engine, self._enqueue, self.bell.committed)
        runs.installation = self
        spend = WitnessedSpend(engine)
        spend.witness = witness
        self.runs, self.controls = runs, ControlStore(engine, self.bell)
        self.approvals = ApprovalStore(engine, self._enqueue, self.bell)
        self.admitter = self._admitter(SqlJournal(engine, self._enqueue, self.bell.committed))
        self.scenarios = PausingScenarios(engine, self._enqueue, self.bell)
        self.due = DueStore(engine)
        needed = lambda: needed_by(self.book.targets.values())  # noqa: E731 - one line
        tools = Tools(FakeProbe(), clock, Timings(), FactStore(engine), needed)
        works: dict[str, Work] = {}
        ports = {
            "app_platform": self.apps,
            "supabase": self.database,
            "cloudflare_zone": self.zones,
            "valkey": self.clusters,
            **self._ports,
        }
        for kind, port in ports.items():
            spec = kind_spec(kind)
            works[kind] = Looking(spec.work(port, tools), witness, spec.cost)
        self.pager, self.messenger = FakePager(), FakeMessenger()
        targets = tuple(self.book.targets.values())
        locks = FakeLocks()
        self.parts = WorkerParts(
            runs=runs,
            incidents=IncidentStore(engine),
            leases=FakeLeases(),
            locks=locks,
            lock_mirror=locks,
            offs=FakeOffs(),
            outbox=FakeOutbox(),
            controls=self.controls,
            due=self.due,
            approvals=self.approvals,
            spend=spend,
            leftovers=FakeLeftovers(),
            ledger=LedgerStore(engine),
            levels=LevelStore(engine),
            readings=ReadingStore(engine),
            watches=WatchStore(engine),
            jobs=JobStore(engine, self._enqueue),
            budget_notices=BudgetNoticeStore(engine),
            weeks=WeekStore(engine),
            watchdogs=WatchdogStore(engine),
            heartbeats=HeartbeatStore(engine, waiting_query(engine.dialect.name)),
            outcomes=OutcomeStore(engine),
            demotions=DemotionStore(engine, self.bell),
            book=lambda: self.book,
            counted=lambda: targets,
            judge_again=self._admit,
            off_watch=OffWatch(self.pager, clock),
            change_of=lambda request: change_of(works, request),
            work_of=lambda target: works[target.kind],
            pager=self.pager,
            messenger=self.messenger,
            metrics=self.metrics,
            clock=clock,
            new_id=new_id,
            reconcile=lambda run, why, delay: None,
            page_later=lambda late, delay: None,
            end_process=_end_process,
            refire_grace_s=GRACE_S,
            scenarios=self.scenarios,
        )
        self._again, self._asking = AgainRound(self.parts), ApprovalRound(self.parts)
        self.people = People(
            controls=self.controls,
            lock_mirror=locks,
            runs=runs,
            approvals=self.approvals,
            demotions=DemotionStore(engine, self.bell),
            jobs=JobStore(engine, self._enqueue),
            scenarios=self.scenarios,
            book=lambda: self.book,
            audited=recorded,
            new_id=new_id,
            clock=clock.time,
        )

    def _admitter(self, journal: SqlJournal) -> Admitter:
        in_force = RulesInForce(self.book, RuleIndex(self.book))
        return Admitter(
            journal=journal,
            gate=MemoryGate(),
            rules=lambda: in_force,
            new_id=new_id,
            refire_grace_s=GRACE_S,
        )

    # ---- What happens ----

    def deliver(self, delivery: Delivery) -> None:
        """A sender's notification is taken."""
        self._admit([delivery])

    def put(self, kind: str, scope: Any, lasts: str) -> None:
        """A person puts a pause, lock or hold in force."""
        control, _ = self.people.put(OLGA, kind, scope, lasts, "a person is at work")
        self.witness.put(control)

    def lift(self, kind: str) -> None:
        """A person ends all of these."""
        found = self.people.in_force(kind)
        for each in found:
            # Of a lock only its owner, or an admin, may end it.
            self.people.end(Person(each.by, frozenset({Role.ADMIN})), kind, each.id)
        if found:
            self.witness.lifted([each.id for each in found], self.clock.time())

    def look_at_costs(self) -> None:
        """A worker begins to look at what the targets cost."""
        self.others.append(Execution("looks", lambda: LookRound(self.parts)(True)))

    def busy(self, percent: float) -> None:
        """How busy the instances of the API are from now on."""
        self.metrics.values[EXPRESSIONS[Question.CPU]] = percent

    def asks_for(self, target: str) -> list[str]:
        """The names of the alerts whose rules ask for more of a target."""
        rules = [each for each in self.book.rules if each.target == target]
        return [matcher.value for each in rules for matcher in each.matchers]

    def fires(self, *names: str) -> list[str]:
        """Those of these alerts that fire now, by their senders' words."""
        query = "SELECT name FROM alerts WHERE open AND newest"
        return [name for (name,) in self.rows(query) if name in names]

    def take_back(self) -> None:
        """A worker begins to look whether something can be taken back."""
        self.others.append(Execution("returns", lambda: ReturnRound(self.parts)(True)))

    def look_at_scenarios(self) -> Execution:
        """A worker begins to look at the scenarios that are due."""
        self.others.append(Execution("scenarios", lambda: ScenarioRound(self.parts)(True)))
        return self.others[-1]

    def go_through(self, run: str, turns: int = 200) -> str:
        """Let the workers go on until nothing more becomes of a scenario by itself; its state."""
        for _ in range(turns):
            ScenarioRound(self.parts)(True)
            self.go_on()
            query = "SELECT state, due_at, next_at FROM scenario_runs WHERE id = :run"
            ((state, due_at, next_at),) = self.rows(query, run=run)
            over = state in ENDED  # it waits for sign-offs at most
            rests = (
                over
                or state in ("waiting", "unsigned")
                or (state == "active" and self.clock.now < due_at)
            )
            if next_at is None or (rests and next_at > self.clock.now):
                return str(state)
            self.clock.now = max(self.clock.now, min([next_at, *(at for at, _ in self.waiting)]))
        raise AssertionError(f"{run} never comes to an end: {state}")

    def next_write(self, fault: str) -> None:
        """The next write at either vendor meets this."""
        when, made = FAULTS[fault]
        for writes in (self.apps.writes, self.database.writes):
            getattr(writes, when)[writes.sent] = made()

    def work(self, which: int, turns: int) -> bool:
        """A worker goes on with one of the things that there are to do; False where none is."""
        there_is = self._to_do()
        if not there_is:
            return False
        there_is[which % len(there_is)].go(turns)
        self._clear_up()
        return True

    def reach(self, which: int, at: str) -> None:
        """A worker goes on with one of the things that there are to do until it is there."""
        there_is = self._to_do()
        there_is[which % len(there_is)].go_to(at)

    def begin(self) -> Execution:
        """What the queue has is begun, but does nothing yet; the one execution that there is."""
        (one,) = self._to_do()
        return one

    def die(self, which: int) -> None:
        """One of the processes is killed where it is."""
        if living := self._living():
            living[which % len(living)].die()
            self._clear_up()

    def adopt(self, which: int) -> None:
        """Another worker takes a run up whose process was only stopped, and may go on later."""
        running = [each for each in self.under_way.values() if each.executions]
        if running:
            self._execute(running[which % len(running)])

    def newest(self) -> Execution:
        """The execution that was begun last."""
        return self._living()[-1]

    def wait(self, seconds: float) -> None:
        """Time goes by, and what becomes due meanwhile is judged when it is."""
        until = self.clock.now + seconds
        for _ in range(50):
            at = self.due.next_due()
            if at is None or at > until:
                break
            self.clock.now = max(self.clock.now, at)
            self.rounds()
        self.clock.now = max(self.clock.now, until)

    def rounds(self) -> None:
        """What a worker does beside its runs."""
        self.bell.rung = False
        self._again(True)
        self._asking(True)
        self.read_controls()

    def go_on(self) -> None:
        """Let the workers do all that there is to do now."""
        while self.work(0, 1_000):
            self.rounds()

    def drain(self) -> None:
        """Let the workers do all that is left, also what is due later."""
        for _ in range(2_000):
            self.rounds()
            if not self.work(0, 1_000):
                if not self.waiting:
                    return
                self.clock.now = max(self.clock.now, min(at for at, _ in self.waiting))
        raise AssertionError("the workers never come to an end")

    # ---- What is seen ----

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), values)]

    def pending(self) -> set[str]:
        """The runs that a worker has, or will take."""
        queued = {run.request.id for _, run in self.waiting}
        return queued | {each.run.request.id for each in self.under_way.values() if not each.done}

    def read_controls(self) -> None:
        """What a limit, or an undo, has put in force is known to the witness too."""
        for each in self.controls.in_force():
            self.witness.put(each)

    # ---- How it works ----

    def _admit(self, deliveries: Sequence[Delivery]) -> None:
        self.admitter.admit(deliveries, self.clock.time())

    def _enqueue(self, _connection: sa.Connection, run: NewRun) -> None:
        self.waiting.append((self.clock.time() + run.delay_s, run))

    def _to_do(self) -> list[Execution]:
        """What lives; runs whose worker died, taken up; and what the queue has, begun."""
        for each in self.under_way.values():
            if each.abandoned:
                self._execute(each)
        now = self.clock.time()
        for at, run in sorted(self.waiting, key=lambda each: each[0]):
            if at <= now and run.partition not in self.under_way:
                self.waiting.remove((at, run))
                workflow = self.under_way[run.partition] = Workflow(run)
                self._execute(workflow)
        return self._living()

    def _living(self) -> list[Execution]:
        known = [each for flow in self.under_way.values() for each in flow.executions]
        return [each for each in (*known, *self.others) if not each.over]

    def _execute(self, workflow: Workflow) -> None:
        request = workflow.run.request
        pinned = dump_request(request)

        def body() -> None:
            execute(self.parts, request.id, pinned, workflow.record)

        workflow.executions.append(Execution(request.id, body))

    def _clear_up(self) -> None:
        """A run that is done frees its partition; an execution of it that was stopped lives on."""
        for partition, workflow in list(self.under_way.items()):
            if workflow.done:
                del self.under_way[partition]
                self.others += [each for each in workflow.executions if not each.over]
        self.others = [each for each in self.others if not each.over]


def _end_process(sentence: str) -> NoReturn:
    raise ProcessEnded(sentence)
