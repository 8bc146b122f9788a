"""A web process on its own: real admission and a real SQLite journal, no Redis and no worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.bootstrap.replay import previewed
from service.catalogue.app_platform.target import AppTarget
from service.domain.decisions.claims import Cooldown
from service.domain.levels.told import Acted
from service.domain.people import Person
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.ports.admission import Delivery, GateReply, NewRun
from service.ports.last_resort import LastResortParts
from service.settings import Settings, load_settings
from service.store import schema
from service.store.admissions import SqlJournal
from service.store.approvals import ApprovalStore
from service.store.audit import AuditStore, recorded
from service.store.bell import bell_of
from service.store.controls import ControlStore
from service.store.database import open_engine
from service.store.demotions import DemotionStore
from service.store.ids import new_id
from service.store.jobs import JobStore
from service.store.levels import acted
from service.store.queries import Queries
from service.store.replays import Replays, StoredNotification
from service.store.runs import RunStore
from service.store.scenarios import ScenarioStore
from service.store.status import declared, ended_runs, status
from service.store.tokens import TokenStore
from service.triggers.alerts.admit import Admitter
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.alerts.preview import Preview
from service.triggers.people.people import People
from service.triggers.people.tokens import Tokens
from service.web.parts import Admit
from tests.fakes.engine import FakeLocks


@dataclass(slots=True)
class FreeGate:
    """A gate that holds nothing back and remembers what it was told."""

    settled: list[Cooldown] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)

    def ask(self, claims: Collection[str], token: str) -> GateReply:
        return GateReply({}, available=True)

    def settle(self, cooldowns: Collection[Cooldown], token: str, now: float) -> None:
        self.settled.extend(cooldowns)

    def give_back(self, claims: Collection[str], token: str) -> None:
        self.given_back.extend(claims)


def rule_book() -> RuleBook:
    """Two of the pack's rules: one that scales, one that pages."""
    return RuleBook(
        rules=(
            Rule(
                "high-cpu",
                (Matcher("alertname", MatchOp.EQUAL, "High CPU Usage"),),
                "horizontal_scale",
                target="api",
                cooldown=timedelta(minutes=10),
            ),
            Rule(
                "high-error-rate",
                (Matcher("alertname", MatchOp.EQUAL, "High Error Rate"),),
                "page_oncall",
            ),
        ),
        targets={"api": AppTarget("api", "app-1", "api", 2, 10)},
        hash="0123456789ab",
    )


@dataclass(frozen=True)
class Stand:
    """The parts of a web process, as the bootstrap would hand them in, and what to look into."""

    settings: Settings
    admit: Admit
    queries: Queries
    prove_write: Callable[[], None]
    redis_ping: Callable[[], bool]
    live_workers: Callable[[], int]
    last_resort: LastResortParts
    clock: Callable[[], float]
    rules: Callable[[], RulesInForce]
    stored_notifications: Callable[[Sequence[str]], list[StoredNotification]]
    preview: Callable[[Sequence[Delivery], RulesInForce], list[Preview]]
    status: Callable[[str | None], dict[str, Any]]
    levels: Callable[[], Acted]
    ended_runs: Callable[[], Sequence[tuple[str, str, str, int]]]
    engine: sa.Engine
    gate: FreeGate
    locks: FakeLocks
    enqueued: list[str]
    people: People
    tokens: Tokens
    audit: AuditStore
    stored_tokens: Callable[[float], Mapping[str, Person]]


def make_stand(url: str, **environment: str) -> Stand:
    """A stand on the database at `url`, whose tables are made if they aren't there."""
    engine = open_engine(url)
    schema.metadata.create_all(engine)
    book = rule_book()
    rules = RulesInForce(book, RuleIndex(book))
    gate, locks = FreeGate(), FakeLocks()
    enqueued: list[str] = []

    def enqueue(_connection: sa.Connection, run: NewRun) -> None:
        enqueued.append(run.request.id)

    admitter = Admitter(
        journal=SqlJournal(engine, enqueue),
        gate=gate,
        rules=lambda: rules,
        new_id=new_id,
        refire_grace_s=120.0,
    )
    queries = Queries(engine)

    return Stand(
        settings=load_settings({"OPEN_WEBHOOKS": "true", **environment}),
        admit=admitter.admit,
        queries=queries,
        prove_write=queries.prove_write,
        redis_ping=lambda: True,
        live_workers=queries.live_workers,
        last_resort=quiet_last_resort(),
        clock=time.time,
        rules=lambda: rules,
        stored_notifications=Replays(engine).stored,
        preview=partial(previewed, engine, 120.0),
        status=lambda target: status(engine, declared(book), time.time(), target),
        levels=lambda: acted(engine),
        ended_runs=lambda: ended_runs(engine),
        engine=engine,
        gate=gate,
        locks=locks,
        enqueued=enqueued,
        people=People(
            controls=ControlStore(engine, bell_of(engine)),
            lock_mirror=locks,
            runs=RunStore(engine, enqueue),
            demotions=DemotionStore(engine, bell_of(engine)),
            approvals=ApprovalStore(engine, enqueue, bell_of(engine)),
            jobs=JobStore(engine, enqueue),
            scenarios=ScenarioStore(engine, enqueue, bell_of(engine)),
            book=lambda: book,
            audited=recorded,
            new_id=new_id,
            clock=time.time,
        ),
        tokens=Tokens(TokenStore(engine), recorded, time.time),
        audit=AuditStore(engine),
        stored_tokens=TokenStore(engine).good,
    )


def quiet_last_resort() -> LastResortParts:
    """A last resort that has nobody to page and nothing to tell."""
    return LastResortParts(
        pager=None,
        pages_of=lambda _delivery: [],
        prove_write=lambda: None,
        live_workers=lambda: 1,
        work_waits=lambda: False,
        undelivered=list,
        announced=lambda: False,
        announce=lambda _paged: None,
    )


def sqlite_url(directory: Path) -> str:
    """A database file in a directory of the test's own."""
    return f"sqlite:///{directory / 'runbookd.db'}"
