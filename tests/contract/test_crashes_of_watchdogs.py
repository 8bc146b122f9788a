"""Watchdogs over workers that die before or after any of their calls, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.alerts.alert import Alert
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import RuleBook
from service.domain.watchdogs import GRACE_S, Watchdog
from service.engine.watchdogs import HOLD_S, WatchdogRound
from service.store.outbox import OutboxStore
from service.store.watchdogs import WatchdogStore
from service.triggers.alerts.candidates import RulesInForce
from tests.contract.admission import SqlDesk
from tests.fakes.alerts import alert, delivery, resolved
from tests.fakes.engine import FakeWorker, ProcessEnded

BOOK = RuleBook((), {}, "0123456789ab", watchdogs={"Watchdog": Watchdog("Watchdog", 600.0)})
CALLS = ("known", "heard", "note", "silent", "take", "trigger", "paged", "resolve", "back")


@dataclass
class Dying:
    """What a worker calls, and where it dies: before or after a call of that name."""

    inner: Any
    call: str
    when: str
    died: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        return partial(self._called, name)

    def _called(self, name: str, *arguments: Any) -> Any:
        if name == self.call and self.when == "before":
            self.died()
        answer = getattr(self.inner, name)(*arguments)
        if name == self.call and self.when == "after":
            self.died()
        return answer


class World:
    """Workers one after the other, over one database; the first two die at one call."""

    def __init__(self, engine: sa.Engine, call: str, when: str) -> None:
        self.worker = FakeWorker()
        self.worker.book = BOOK
        self.store, self.outbox = WatchdogStore(engine), OutboxStore(engine)
        self.desk = SqlDesk(engine, rules=RulesInForce(BOOK, RuleIndex(BOOK)))
        self.deaths = 0
        self.at = (call, when)
        self.round = self.begun(dying=True)

    def begun(self, *, dying: bool = False) -> WatchdogRound:
        """A new worker that has watched for long enough."""
        watchdogs: Any = self.store
        pager: Any = self.worker.pager
        if dying:
            watchdogs = Dying(watchdogs, *self.at, self._die)
            pager = Dying(pager, *self.at, self._die)
        parts = replace(self.worker.parts, watchdogs=watchdogs, pager=pager)
        made = WatchdogRound(parts)
        self.worker.clock.sleep(GRACE_S)
        return made

    def _die(self) -> None:
        self.deaths += 1
        raise ProcessEnded

    def hear(self, word: Alert | None = None) -> None:
        self.desk.admit(delivery(word or alert("Watchdog"), at=self.worker.clock.time()))

    def go_on(self) -> None:
        """Rounds of a worker that dies, and then of one that does not."""
        try:
            self.round(True)
        except ProcessEnded:
            self.round = self.begun()
        self.worker.clock.sleep(HOLD_S)
        self.round(True)
        self.round = self.begun(dying=True)

    def told(self) -> list[str]:
        waiting = self.outbox.take(self.worker.clock.time(), 0.0, 100)
        return [each.message.title for each in waiting]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_a_worker_that_dies_anywhere_pages_once_and_tells_once_that_it_is_over(
    engine: sa.Engine, call: str, when: str
) -> None:
    world = World(engine, call, when)
    world.hear()
    world.go_on()
    assert (world.told(), world.worker.pager.open) == ([], {})
    world.worker.clock.sleep(600)
    world.go_on()
    assert world.told() == ["Silent: Watchdog"]
    assert len(world.worker.pager.open) == 1
    world.hear()
    world.go_on()
    assert world.worker.pager.open == {}
    assert world.told() == ["Silent: Watchdog", "Heard again: Watchdog"]
    assert world.deaths >= 1, "this call is never made"


def test_a_watchdog_that_ends_is_silent_from_its_end_on(engine: sa.Engine) -> None:
    world = World(engine, "nothing", "before")
    world.hear()
    world.worker.clock.sleep(300)
    world.hear(resolved("Watchdog"))
    world.go_on()
    world.worker.clock.sleep(599 - GRACE_S - HOLD_S)
    world.round(True)
    assert world.told() == []
    world.worker.clock.sleep(10)
    world.round(True)
    assert world.told() == ["Silent: Watchdog"]
