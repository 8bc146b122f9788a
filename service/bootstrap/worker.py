"""Builds a worker from its parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

import structlog

from service.bootstrap.pager import build_pager
from service.bootstrap.reload import RulesWatch
from service.bootstrap.required import missing_secrets
from service.bootstrap.rules import build_admitter
from service.bootstrap.stores import Stores
from service.bootstrap.vendors import (
    build_bills,
    build_heartbeat,
    build_messenger,
    build_metrics,
    build_works,
)
from service.catalogue.registry import change_of
from service.catalogue.unused import needed_by
from service.domain.rules.rules import RuleBook, Target
from service.engine.durable import pending_query, waiting_query
from service.engine.late_pages import dump_late, page_id
from service.engine.off_watch import OffWatch
from service.engine.parts import LatePage, WorkerParts
from service.engine.worker import Worker
from service.ports.admission import Delivery
from service.rulebook import RuleBookInvalid
from service.rulebook.held import HeldRules
from service.settings import Settings
from service.store.approvals import ApprovalStore
from service.store.bell import listen
from service.store.clock import StoreClock
from service.store.controls import ControlStore
from service.store.costs import BudgetNoticeStore
from service.store.database import translated
from service.store.demotions import DemotionStore
from service.store.due import DueStore
from service.store.facts import FactStore
from service.store.ids import new_id
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
from service.store.rulebooks import WORKER, RulebookStore
from service.store.scenarios import ScenarioStore
from service.store.spend import SpendStore
from service.store.watchdogs import HeartbeatStore, WatchdogStore
from service.store.watches import WatchStore
from service.store.weeks import WeekStore

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 10.0
"""How often a worker looks in the store whether somebody asked for a reload, in seconds. The bell
rings for it too."""
LOST_RUN_EXIT = 75
"""Exit status of a worker that ends itself (EX_TEMPFAIL). Its supervisor must start it again."""
_BUSY_TIMEOUT_MS = 30_000
"""Milliseconds that a worker waits for SQLite's write lock. It has no sender that would retry, as
the web process has."""


def build_worker(settings: Settings) -> Worker:
    """A worker on the settings' database and vendors. The tables must be up to date."""
    stores = Stores(
        settings, busy_timeout_ms=_BUSY_TIMEOUT_MS, connections=settings.worker_concurrency
    )
    clock = StoreClock()
    # Read now: while a droplet is off, its section renews its lock without SQL, by this id.
    _log.info("installation", id=stores.installation)

    def reconcile(run_id: str, why: str, delay_s: float) -> None:
        run = stores.runs.get(run_id)
        if run is not None:
            with translated():
                stores.queue.reconcile(run_id, run.partition, why, delay_s)

    def page_later(late: LatePage, delay_s: float) -> None:
        # As StoreUnavailable, a failure of the store ends the worker. Otherwise the engine would
        # record it as the step's result, and every later execution would get it again.
        with translated():
            stores.queue.page(page_id(late), late.page.dedup_key, dump_late(late), delay_s)

    pager = build_pager(settings)
    levels = LevelStore(stores.engine)
    watch = _rules_watch(settings, stores, levels, clock)
    works = build_works(settings, clock, FactStore(stores.engine), lambda: _needed(watch.held.book))
    parts = WorkerParts(
        runs=stores.runs,
        incidents=IncidentStore(stores.engine),
        leases=LeaseStore(
            stores.engine,
            settings.worker_lease_s,
            pending_query(stores.engine.dialect.name),
            clock.set,
        ),
        locks=stores.coordination,
        lock_mirror=stores.coordination,
        offs=OffStore(stores.engine),
        outbox=OutboxStore(stores.engine),
        controls=ControlStore(stores.engine, stores.bell),
        due=DueStore(stores.engine),
        spend=SpendStore(stores.engine),
        leftovers=LeftoverStore(stores.engine),
        outcomes=OutcomeStore(stores.engine),
        demotions=DemotionStore(stores.engine, stores.bell),
        ledger=LedgerStore(stores.engine),
        levels=levels,
        readings=ReadingStore(stores.engine),
        watches=WatchStore(stores.engine),
        jobs=JobStore(stores.engine, stores.queue.enqueue, stores.bell.committed),
        approvals=ApprovalStore(stores.engine, stores.queue.enqueue, stores.bell),
        budget_notices=BudgetNoticeStore(stores.engine),
        weeks=WeekStore(stores.engine),
        watchdogs=WatchdogStore(stores.engine),
        heartbeats=HeartbeatStore(stores.engine, waiting_query(stores.engine.dialect.name)),
        heartbeat=build_heartbeat(settings),
        bills=build_bills(settings),
        scenarios=ScenarioStore(stores.engine, stores.queue.enqueue, stores.bell),
        off_watch=OffWatch(pager, clock),
        change_of=partial(change_of, works),
        work_of=lambda target: works[target.kind],
        pager=pager,
        messenger=build_messenger(settings),
        metrics=build_metrics(settings),
        clock=clock,
        new_id=new_id,
        reconcile=reconcile,
        page_later=page_later,
        judge_again=_judge_again(watch.held, stores, clock),
        end_process=end_process,
        refire_grace_s=settings.refire_grace_s,
        counted=lambda: _counted(watch.held.book),
        book=lambda: watch.held.book,
        keep_leftovers_s=settings.snapshot_keep_days * 86_400.0,
        keep_hours_s=settings.readings_hours_days * 86_400.0,
        keep_days_s=settings.readings_days * 86_400.0,
    )
    return Worker(
        parts,
        stores.engine,
        listen=partial(listen, stores.engine),
        lease_s=settings.worker_lease_s,
        poll_s=settings.worker_poll_s,
        concurrency=settings.worker_concurrency,
        rules=watch,
    )


def _needed(book: RuleBook | None) -> frozenset[str] | None:
    return None if book is None else needed_by(book.targets.values())


def _rules_watch(
    settings: Settings, stores: Stores, levels: LevelStore, clock: StoreClock
) -> RulesWatch:
    """The rules of this worker, read for the first time.

    It goes on without rules where there are none, because it must still finish runs and switch
    droplets on. Held alerts then wait until their senders repeat them, and only runs see what is
    spent.
    """

    def taking(book: RuleBook) -> None:
        # Before they are in force here: a worker whose rules are others then asks for nothing.
        levels.put_in_force(book.hash, clock.time(), starts=True)

    watch = RulesWatch(
        settings,
        RulebookStore(stores.engine),
        WORKER,
        ask_every_s=ASK_EVERY_S,
        taking=taking,
        needs=lambda book: _needs(settings, book),
        clock=clock.time,
    )
    try:
        watch.begin()
    except RuleBookInvalid:
        _log.error(
            "no_rules",
            consequence="held alerts wait for their senders' repeats until the files are mended",
        )
    return watch


def _needs(settings: Settings, book: RuleBook) -> list[str]:
    """What this worker lacks for these rules, and can only be given at a start."""
    return [
        f"{sentence} A worker is given it with its next start."
        for sentence in missing_secrets(settings, book.targets.values())
    ]


def _counted(book: RuleBook | None) -> tuple[Target, ...]:
    """The targets whose cost counts towards the budget of the rules. Empty without a budget."""
    budget = None if book is None else book.policy.budget
    if book is None or budget is None:
        return ()
    return tuple(each for name, each in book.targets.items() if budget.covers(name))


def _judge_again(
    held: HeldRules, stores: Stores, clock: StoreClock
) -> Callable[[Sequence[Delivery]], None]:
    """Admission by the rules in force. Does nothing while there are none."""
    admitter = build_admitter(stores, held.rules)

    def judge_again(deliveries: Sequence[Delivery]) -> None:
        if held.book is not None:
            admitter.admit(deliveries, clock.time())

    return judge_again


def end_process(sentence: str) -> NoReturn:
    """End the process at once, without clean-up, which could write again.

    Another worker adopts the runs.
    """
    _log.error("worker_ends_itself", why=sentence)
    os._exit(LOST_RUN_EXIT)
