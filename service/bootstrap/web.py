"""Builds the parts of a web process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from service.bootstrap.pager import build_pager
from service.bootstrap.people import build_people, build_tokens
from service.bootstrap.reload import RulesWatch
from service.bootstrap.replay import previewed
from service.bootstrap.rules import build_admitter
from service.bootstrap.startup import tell_doubts
from service.bootstrap.stores import Stores
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.levels.told import Acted
from service.domain.people import Person
from service.domain.rules.rules import RuleBook
from service.engine.pages import incident_of
from service.messages.last_resort import NO_WORKER_KEY
from service.messages.page_oncall import page_for
from service.ports import Page
from service.ports.admission import Delivery, Receipt
from service.ports.last_resort import LastResortParts
from service.ports.loop import Loop
from service.settings import Settings
from service.store.audit import AuditStore
from service.store.encode import dump
from service.store.facts import NO_WORKER_PAGED, TARGETS, FactStore
from service.store.incidents import IncidentStore
from service.store.levels import acted
from service.store.queries import Queries
from service.store.replays import Replays, StoredNotification
from service.store.rulebooks import RulebookStore
from service.store.status import declared, ended_runs, status
from service.store.tokens import TokenStore
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.alerts.preview import Preview
from service.triggers.alerts.unkept import pages_of
from service.triggers.people.people import People
from service.triggers.people.tokens import Tokens

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 1.0
"""How often a web process looks in the store whether somebody asked for a reload, in seconds. It
has no bell that rings for it. The look is one row by its key."""


@dataclass(frozen=True, slots=True)
class WebProcess:
    """The parts that the web application needs (`service.web.parts`)."""

    settings: Settings
    admit: Callable[[Sequence[Delivery], float], list[Receipt]]
    queries: Queries
    prove_write: Callable[[], None]
    redis_ping: Callable[[], bool]
    live_workers: Callable[[], int]
    last_resort: LastResortParts
    clock: Callable[[], float]
    people: People
    tokens: Tokens
    audit: AuditStore
    stored_tokens: Callable[[float], Mapping[str, Person]]
    rules: Callable[[], RulesInForce]
    stored_notifications: Callable[[Sequence[str]], list[StoredNotification]]
    preview: Callable[[Sequence[Delivery], RulesInForce], list[Preview]]
    status: Callable[[str | None], dict[str, Any]]
    levels: Callable[[], Acted]
    ended_runs: Callable[[], Sequence[tuple[str, str, str, int]]]
    rules_watch: RulesWatch


def build_web(settings: Settings, loop: Loop | None = None) -> WebProcess:
    """The parts of a web process. The tables must be up to date (`Stores.migrate`).

    With a `loop`, `admit` may be called on it. The rules follow their files once `rules_watch` is
    started.

    Raises:
        RuleBookInvalid: the rules have errors, and this installation has had no good ones before.
    """
    stores = Stores(settings, loop=loop)

    def taken(book: RuleBook) -> None:
        _keep(stores, book)
        tell_doubts(settings, book)

    watch = RulesWatch(
        settings,
        RulebookStore(stores.engine),
        "web",
        ask_every_s=ASK_EVERY_S,
        taken=taken,
    )
    watch.begin()
    rules = watch.held.rules
    _keep(stores, rules().book)
    admitter = build_admitter(stores, rules)
    return WebProcess(
        settings=settings,
        admit=admitter.admit,
        queries=stores.queries,
        prove_write=stores.queries.prove_write,
        redis_ping=lambda: stores.coordination.ping() is None,
        live_workers=stores.queries.live_workers,
        last_resort=build_last_resort(settings, stores, rules),
        clock=time.time,
        people=build_people(stores, lambda: rules().book),
        tokens=build_tokens(stores),
        audit=AuditStore(stores.engine),
        stored_tokens=TokenStore(stores.engine).good,
        rules=rules,
        stored_notifications=Replays(stores.engine).stored,
        preview=partial(previewed, stores.engine, settings.refire_grace_s),
        status=lambda target: status(stores.engine, declared(rules().book), time.time(), target),
        levels=lambda: acted(stores.engine),
        ended_runs=lambda: ended_runs(stores.engine),
        rules_watch=watch,
    )


def _keep(stores: Stores, book: RuleBook) -> None:
    """Store the targets of the rules in force, for `runbookd status` beside the store.

    Reading and checking the rules would take that command longer than everything else it does.
    """
    try:
        FactStore(stores.engine).put(TARGETS, dump(declared(book)))
    except (StoreUnavailable, StoreConflict) as error:
        _log.warning("targets_not_kept", why=str(error))


def build_last_resort(
    settings: Settings, stores: Stores, rules: Callable[[], RulesInForce]
) -> LastResortParts:
    """The parts of the page of last resort (`service.web.last_resort`)."""
    incidents, facts = IncidentStore(stores.engine), FactStore(stores.engine)
    has_key = settings.sandbox_url or settings.pagerduty_routing_key.get_secret_value()

    def undelivered() -> list[Page]:
        return [page_for(incident_of(state)) for state in incidents.undelivered()]

    return LastResortParts(
        pager=build_pager(settings) if has_key else None,
        pages_of=lambda delivery: pages_of(delivery, rules()),
        prove_write=stores.queries.prove_write,
        live_workers=stores.queries.live_workers,
        work_waits=stores.queue.work_waits,
        undelivered=undelivered,
        announced=lambda: bool(facts.get(NO_WORKER_PAGED)),
        announce=lambda paged: facts.put(NO_WORKER_PAGED, NO_WORKER_KEY if paged else ""),
    )
