"""Builds what people may do, on the real stores, for the API and for the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from service.bootstrap.stores import Stores
from service.domain.decisions.controls import Control
from service.domain.rules.rules import RuleBook
from service.store.approvals import ApprovalStore
from service.store.audit import recorded
from service.store.controls import ControlStore
from service.store.demotions import DemotionStore
from service.store.ids import new_id
from service.store.jobs import JobStore
from service.store.scenarios import ScenarioStore
from service.store.tokens import TokenStore
from service.triggers.people.people import People
from service.triggers.people.tokens import Tokens


def build_people(stores: Stores, book: Callable[[], RuleBook]) -> People:
    """What people may do with targets and runs. `book` returns the rules in force."""
    return People(
        controls=ControlStore(stores.engine, stores.bell),
        lock_mirror=_LateMirror(stores),
        runs=stores.runs,
        approvals=ApprovalStore(stores.engine, stores.queue.enqueue, stores.bell),
        demotions=DemotionStore(stores.engine, stores.bell),
        jobs=JobStore(stores.engine, stores.queue.enqueue),
        scenarios=ScenarioStore(stores.engine, stores.queue.enqueue, stores.bell),
        book=book,
        audited=recorded,
        new_id=new_id,
        clock=time.time,
    )


class _LateMirror:
    """The Redis of these stores, whose client takes long to load, and is needed for locks alone."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def show(self, resources: Collection[str], locks: Mapping[str, Control], now: float) -> bool:
        """As `LockMirror`."""
        return self._stores.coordination.show(resources, locks, now)


def build_tokens(stores: Stores) -> Tokens:
    """What an admin may do with tokens."""
    return Tokens(TokenStore(stores.engine), recorded, time.time)
