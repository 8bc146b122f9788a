"""Whatever order notifications, duplicates, retries, resolves and the worker come in: one run per
claim and cooldown, a decision with a reason for every alert, and no group that nobody was told of.

Each sequence runs on SQLite with the worker's own stores, and beside it on the journal in memory,
which must decide the same.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from service.domain.decisions.claims import Cooldown
from service.domain.decisions.decision import Decision, Verdict
from service.domain.rules.scopes import EVERYTHING, Scope, Scopes
from service.ports.admission import Delivery, NewRun, Receipt
from service.ports.runs import IncidentState, Outcome
from service.store import schema
from service.store.database import open_engine
from service.store.decode import load
from service.store.incidents import IncidentStore
from service.store.runs import RunStore
from tests.contract.admission import SqlDesk
from tests.fakes.alerts import CPU, ERRORS, GRACE_S, NOW, OTHER, SLOW, TRAFFIC, alert, notification
from tests.fakes.journal import Desk

NAMES = (CPU, TRAFFIC, SLOW, OTHER, ERRORS, ERRORS, ERRORS)
"""Pages have the most ways to go wrong."""
SCOPES = Scopes.stating({"prod": EVERYTHING, "dev": Scope(frozenset({"slow", "errors"}))})


@dataclass(frozen=True)
class Send:
    """A notification of one group: which instances fire, and which have resolved; and who says so.

    Others than `prod` may not earn every rule, and may forge the labels.
    """

    name: str
    states: tuple[tuple[str, bool], ...]
    credential: str = "prod"
    labelled: str | None = None


@dataclass(frozen=True)
class Burst:
    """Many groups fire or resolve at once, each of which is paged by itself or in a flood."""

    count: int
    firing: bool
    in_one_batch: bool


@dataclass(frozen=True)
class Resend:
    """A retry, or the other Alertmanager's copy, of something sent before."""

    which: int


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Work:
    """A worker does one thing more: begins a run, or ends one that it has begun."""

    which: int


Step = Send | Burst | Resend | Wait | Work

_sends = st.builds(
    Send,
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=1, max_size=2).map(tuple),
    st.sampled_from(["prod", "prod", "prod", "dev", "stranger"]),
    st.sampled_from([None, None, SLOW]),
)
_steps = st.one_of(
    _sends,
    st.builds(Resend, st.integers(0, 20)),
    st.builds(Wait, st.sampled_from([0.0, 1.0, GRACE_S, GRACE_S + 1, 600.0, 3600.0])),
    st.builds(Work, st.integers(0, 20)),
    st.builds(Work, st.integers(0, 1)),
    st.builds(Burst, st.sampled_from([2, 9, 14]), st.booleans(), st.booleans()),
)


@dataclass
class World:
    """Both desks, and a worker between notifications."""

    sql: SqlDesk
    memory: Desk = field(default_factory=lambda: Desk(SCOPES))
    now: float = NOW
    sent: list[Delivery] = field(default_factory=list)
    waiting: list[tuple[float, NewRun]] = field(default_factory=list)
    begun: dict[str, tuple[NewRun, IncidentState | None]] = field(default_factory=dict)
    """By partition: the run under way, and the incident as it found it."""
    rests: dict[str, float] = field(default_factory=dict)
    """When the claim of each ended run is free again."""
    acted: list[tuple[float, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runs = RunStore(self.sql.engine, lambda _connection, run: self._queue(run))
        self.incidents = IncidentStore(self.sql.engine)

    def do(self, step: Step) -> None:
        if isinstance(step, Send):
            alerts = [
                alert(step.name, instance, firing=fires, labels=_labels(step, instance))
                for instance, fires in step.states
            ]
            self._deliver(Delivery(notification(*alerts), self.now, credential=step.credential))
        elif isinstance(step, Burst):
            self._burst(step)
        elif isinstance(step, Resend):
            if self.sent:
                again = self.sent[step.which % len(self.sent)]
                self._deliver(replace(again, received_at=self.now))
        elif isinstance(step, Wait):
            self.now += step.seconds
        else:
            self.work(step.which)

    def _burst(self, step: Burst) -> None:
        sent = [
            Delivery(
                notification(alert(ERRORS, each, firing=step.firing), group={"instance": each}),
                self.now,
                credential="prod",
            )
            for each in map(str, range(step.count))
        ]
        if step.in_one_batch:
            self._deliver(*sent)
        else:
            for each in sent:
                self._deliver(each)

    def _deliver(self, *deliveries: Delivery) -> None:
        self.sent += deliveries
        before = len(self.sql.queued)
        receipts = self.sql.admit(*deliveries, now=self.now)
        beside = self.memory.admit(*deliveries, now=self.now)
        for run in self.sql.queued[before:]:
            self._queue(run)
        assert [_told(each) for each in receipts] == [_told(each) for each in beside]
        for delivery, receipt in zip(deliveries, receipts, strict=True):
            self._check_receipt(delivery, receipt)

    def _check_receipt(self, delivery: Delivery, receipt: Receipt) -> None:
        assert len(receipt.verdicts) == len(delivery.notification.alerts)
        for told in receipt.verdicts:
            decision = told.decision
            assert decision.reason
            assert decision.checks[-1].guard == decision.guard
            assert (decision.verdict is Verdict.ACT) is (decision.run is not None)
            if decision.verdict is Verdict.ACT:
                self.acted.append((self.now, decision))

    def _queue(self, run: NewRun) -> None:
        self.waiting.append((self.now + run.delay_s, run))

    def work(self, which: int) -> bool:
        """One thing more; False when there is nothing to do now."""
        if self.begun and which % 2:
            self._end(sorted(self.begun)[which % len(self.begun)])
            return True
        ready = [
            (at, run)
            for at, run in self.waiting
            if at <= self.now and run.partition not in self.begun
        ]
        if ready:
            self.waiting.remove(ready[0])
            self._begin(ready[0][1])
            return True
        return False

    def _begin(self, run: NewRun) -> None:
        self.runs.begin(run.request.id, self.now)
        key = _incident_key(run)
        self.begun[run.partition] = (run, self.incidents.state(key) if key else None)
        self._mirror()

    def _end(self, partition: str) -> None:
        run, found = self.begun.pop(partition)
        cooldown_until = self.now + run.request.cooldown_s
        self.rests[run.request.id] = cooldown_until
        again = self._page(run, found) if found else None
        outcome = Outcome("succeeded", "done", cooldown_until)
        assert self.runs.conclude(run.request.id, outcome, self.now, again=again)
        self._mirror()

    def _page(self, run: NewRun, found: IncidentState) -> NewRun | None:
        """What the worker does with what it found (`service.engine.pages`)."""
        key = found.incident.dedup_key
        if found.firing:
            self.incidents.mark(key, paged=True)
        elif found.incident.paged:
            left_s = GRACE_S - (self.now - (found.resolved_at or 0.0))
            if left_s > 0:
                return replace(run, request=replace(run.request, id=""), delay_s=left_s)
            self.incidents.mark(key, paged=False)
        return None

    def _mirror(self) -> None:
        """The worker's changes, made in memory too."""
        rows = self.sql.rows("SELECT key, generation, until, run, reason FROM cooldowns")
        self.memory.store.cooldowns = {row[0]: Cooldown(*row) for row in rows}
        for key, paged in self.sql.rows("SELECT dedup_key, paged FROM incidents"):
            self.memory.store.incidents[key].paged = bool(paged)

    def drain(self) -> None:
        """Let the worker do all that is left."""
        for _ in range(1_000):
            for partition in sorted(self.begun):
                self._end(partition)
            if not self.work(0):
                if not self.waiting:
                    return
                self.now = max(self.now, min(at for at, _ in self.waiting))
        raise AssertionError("the worker never comes to an end")


def _labels(step: Send, instance: str) -> dict[str, str]:
    return {"alertname": step.labelled or step.name, "instance": instance}


def _told(receipt: Receipt) -> list[tuple[object, ...]]:
    """What both desks must agree on: all but the ids."""
    decisions = [each.decision for each in receipt.verdicts]
    return [
        (each.verdict, each.rule, each.guard, each.reason, each.run, each.until)
        for each in decisions
    ]


def _incident_key(run: NewRun) -> str:
    """The incident that a run tells the pager of; empty for other runs."""
    kind, _, key = run.partition.partition(":")
    return key if kind == "page" else ""


@contextmanager
def world() -> Iterator[World]:
    home = Path(tempfile.mkdtemp())
    engine = open_engine(f"sqlite:///{home / 'journal.db'}")

    @event.listens_for(engine, "connect")
    def _fast(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        connection.cursor().execute("PRAGMA synchronous=OFF")

    schema.metadata.create_all(engine)
    try:
        yield World(SqlDesk(engine, scopes=SCOPES))
    finally:
        engine.dispose()
        shutil.rmtree(home)


def _check_one_act_per_claim_and_cooldown(world: World) -> None:
    rows = world.sql.rows("SELECT claim, id, created_at FROM runs ORDER BY claim, created_at")
    former: dict[str, str] = {}
    for claim, run, created_at in rows:
        before = former.get(claim)
        if before is not None and not claim.endswith((".notify", ".resolve")):
            assert before in world.rests, f"{run} began before {before} had ended"
            assert created_at >= world.rests[before]
        former[claim] = run
    scaled = [decision.run for _, decision in world.acted if decision.target is not None]
    assert len(scaled) == len(set(scaled))


def _check_open_episodes_name_stored_decisions(world: World) -> None:
    stored = {row[0]: row[1] for row in world.sql.rows("SELECT id, alert FROM decisions")}
    for episode, verdicts in world.sql.rows("SELECT id, verdicts FROM alerts WHERE open"):
        named = load(verdicts)
        assert named
        assert {stored.get(last[0]) for last in named.values()} == {episode}


def _check_one_newest_episode_each(world: World) -> None:
    counts = world.sql.rows("SELECT count(*) FROM alerts WHERE newest GROUP BY identity")
    assert {row[0] for row in counts} <= {1}
    assert world.sql.rows("SELECT id FROM alerts WHERE open AND NOT newest") == []


def _check_nobody_is_left_unpaged(world: World) -> None:
    """An incident that fires is known to the pager, or a run will still look at it."""
    for key, paged in world.sql.rows("SELECT dedup_key, paged FROM incidents"):
        state = world.incidents.state(key)
        assert state is not None
        partition = f"page:{key}"
        waits = any(run.partition == partition for _, run in world.waiting)
        _, found = world.begun.get(partition, (None, None))
        if state.firing:
            assert waits or (found.firing if found else paged)


def _check_every_alert_that_is_paged_is_a_member(world: World) -> None:
    """Of its own incident, or of a flood."""
    members = {row[0] for row in world.sql.rows("SELECT identity FROM incident_members")}
    query = "SELECT identity, verdicts FROM alerts WHERE open AND newest"
    for identity, verdicts in world.sql.rows(query):
        _, story = load(verdicts).get("errors", ("", ""))
        if story.startswith(("act|", "hold|paged|")):
            assert identity in members


def _check_no_claim_is_without_a_run(world: World) -> None:
    claimed = {row[0] for row in world.sql.rows("SELECT run FROM cooldowns")}
    assert claimed <= {row[0] for row in world.sql.rows("SELECT id FROM runs")}


_BEGIN, _END = Work(0), Work(1)
_FIRES_AGAIN_WHILE_IT_IS_BEING_CLOSED = [
    Send(ERRORS, (("a", True),)),
    _BEGIN,
    _END,
    Send(ERRORS, (("a", False),)),
    Wait(GRACE_S),
    _BEGIN,
    Send(ERRORS, (("a", True),)),
    _END,
]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_steps, min_size=3, max_size=25))
@example([Burst(14, firing=True, in_one_batch=True), _BEGIN, _END])
@example(_FIRES_AGAIN_WHILE_IT_IS_BEING_CLOSED)
def test_any_sequence_keeps_the_promises(steps: list[Step]) -> None:
    with world() as now:
        for step in steps:
            now.do(step)
            _check_nobody_is_left_unpaged(now)
        _check_one_act_per_claim_and_cooldown(now)
        _check_open_episodes_name_stored_decisions(now)
        _check_one_newest_episode_each(now)
        _check_every_alert_that_is_paged_is_a_member(now)
        _check_no_claim_is_without_a_run(now)
        now.drain()
        for key, paged in now.sql.rows("SELECT dedup_key, paged FROM incidents"):
            state = now.incidents.state(key)
            assert state is not None
            assert bool(paged) is (state.firing > 0), "the pager and the alerts disagree"
