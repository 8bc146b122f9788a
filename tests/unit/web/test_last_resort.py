"""When the web process pages: the store is down, or no worker lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from service.domain.errors import FailureKind, StoreUnavailable, VendorError
from service.messages.last_resort import NO_STORE_KEY, NO_WORKER_KEY
from service.ports import Page
from service.ports.admission import Delivery
from service.ports.last_resort import LastResortParts
from service.triggers.alerts.unkept import pages_of
from service.web.bounded_pager import AGAIN_S, PAGES_A_MINUTE
from service.web.last_resort import ALONE_S, LastResort
from tests.fakes.alerts import CPU, ERRORS, alert, delivery, rules_in_force
from tests.fakes.telling import FakePager

RULES = rules_in_force()
_T = TypeVar("_T")


@dataclass
class CountingPager(FakePager):
    """Remembers each call, and fails while there is a `problem`."""

    sent: list[str] = field(default_factory=list)
    problem: VendorError | None = None

    def trigger(self, page: Page) -> None:
        if self.problem is not None:
            raise self.problem
        self.sent.append(page.dedup_key)
        super().trigger(page)

    def resolve(self, dedup_key: str) -> None:
        if self.problem is not None:
            raise self.problem
        self.sent.append(f"resolve {dedup_key}")
        super().resolve(dedup_key)


@dataclass
class World:
    """A store and workers, as web processes see them; `now` is their monotonic clock."""

    workers: int = 1
    waits: bool = True
    store_is_away: bool = False
    undelivered: list[Page] = field(default_factory=list)
    announced: bool = False
    now: float = 1_000.0
    pager: CountingPager = field(default_factory=CountingPager)

    def web(self, pager: CountingPager | None = None) -> LastResort:
        parts = LastResortParts(
            pager=pager or self.pager,
            pages_of=lambda each: pages_of(each, RULES),
            prove_write=self._asked(lambda: None),
            live_workers=self._asked(lambda: self.workers),
            work_waits=self._asked(lambda: self.waits),
            undelivered=self._asked(lambda: self.undelivered),
            announced=self._asked(lambda: self.announced),
            announce=self._announce,
        )
        return LastResort(parts, lambda: self.now)

    def later(self, web: LastResort, seconds: float) -> None:
        """Rounds every five seconds."""
        until = self.now + seconds
        while self.now < until:
            self.now += min(5.0, until - self.now)
            web.round()

    def _announce(self, paged: bool) -> None:
        self._asked(lambda: None)()
        self.announced = paged

    def _asked(self, answer: Callable[[], _T]) -> Callable[[], _T]:
        def asked() -> _T:
            if self.store_is_away:
                raise StoreUnavailable("it is away")
            return answer()

        return asked


@pytest.fixture
def world() -> World:
    return World()


def refused(number: int = 0, name: str = ERRORS) -> Delivery:
    return delivery(alert(name, str(number)), group={"number": str(number)})


def test_a_page_rules_alert_that_is_not_stored_is_paged_once_however_often_it_is_sent(
    world: World,
) -> None:
    world.store_is_away = True
    web = world.web()
    for _ in range(5):
        web.not_kept(refused())
        world.later(web, 5)
    assert len(world.pager.sent) == 1
    (page,) = world.pager.open.values()
    assert page.summary == ERRORS


def test_what_scales_is_paged_by_nobody_while_the_store_is_away(world: World) -> None:
    world.store_is_away = True
    web = world.web()
    web.not_kept(refused(name=CPU))
    world.later(web, 60)
    assert world.pager.sent == []


def test_above_ten_a_minute_one_page_says_that_alerts_cannot_be_stored(world: World) -> None:
    world.store_is_away = True
    web = world.web()
    for number in range(PAGES_A_MINUTE + 3):
        web.not_kept(refused(number))
        web.round()
    assert len(world.pager.sent) == PAGES_A_MINUTE + 1
    assert world.pager.sent[-1] == NO_STORE_KEY
    world.store_is_away = False
    web.round()
    assert NO_STORE_KEY not in world.pager.open, "closed when the store is back"
    assert len(world.pager.open) == PAGES_A_MINUTE, "the alerts' own are the workers' to close"


def test_a_flood_is_bounded_where_it_waits_and_what_is_left_out_is_told(world: World) -> None:
    world.store_is_away = True
    web = world.web()
    for number in range(1_000):
        web.not_kept(refused(number, CPU))
    assert len(web._unkept) == 16
    web.round()
    assert world.pager.sent == [NO_STORE_KEY]


def test_without_a_live_worker_for_thirty_seconds_what_waits_is_paged(world: World) -> None:
    world.workers = 0
    world.undelivered = [page for n in range(2) for page in pages_of(refused(n), RULES)]
    web = world.web()
    web.round()
    world.later(web, ALONE_S - 1)
    assert world.pager.sent == []
    world.later(web, 1)
    assert world.pager.sent == [
        NO_WORKER_KEY,
        *(page.dedup_key for page in world.undelivered),
    ]
    world.later(web, 120)
    assert len(world.pager.sent) == 3, "told once"


def test_while_nothing_waits_no_worker_is_no_emergency(world: World) -> None:
    world.workers, world.waits = 0, False
    web = world.web()
    world.later(web, 10 * ALONE_S)
    assert world.pager.sent == []


def test_a_worker_that_comes_back_in_time_starts_the_count_anew(world: World) -> None:
    web = world.web()
    for _ in range(4):
        world.workers = 0
        world.later(web, ALONE_S - 5)
        world.workers = 1
        world.later(web, 5)
    assert world.pager.sent == []


def test_a_store_that_was_away_says_nothing_of_the_workers(world: World) -> None:
    world.workers = 0
    web = world.web()
    world.later(web, ALONE_S - 5)
    world.store_is_away = True
    world.later(web, 60)
    world.store_is_away = False
    world.later(web, ALONE_S - 5)
    assert world.pager.sent == []


def test_more_than_ten_undelivered_pages_go_out_over_the_next_minutes(world: World) -> None:
    world.workers = 0
    world.undelivered = [page for n in range(25) for page in pages_of(refused(n), RULES)]
    web = world.web()
    world.later(web, ALONE_S + 30)
    assert len(world.pager.sent) == PAGES_A_MINUTE
    world.later(web, 180)
    assert len(world.pager.sent) == 1 + 25
    assert len(set(world.pager.sent)) == len(world.pager.sent)


def test_when_a_worker_lives_again_any_web_process_closes_the_incident_once(world: World) -> None:
    world.workers = 0
    first, second = world.web(), world.web()
    for web in (first, second):
        web.round()
    world.now += ALONE_S
    for web in (first, second):
        web.round()
    assert world.pager.sent == [NO_WORKER_KEY] * 2, "one incident: the key is the same"
    started_meanwhile = world.web()
    world.workers = 1
    for web in (started_meanwhile, first, second):
        web.round()
    world.later(first, 60)
    assert world.pager.open == {}
    assert world.announced is False


def test_a_web_process_that_starts_in_good_order_calls_the_pager_for_nothing(world: World) -> None:
    world.later(world.web(), 60)
    assert world.pager.sent == []


def test_a_pager_that_is_away_is_tried_again_and_not_at_every_round(world: World) -> None:
    world.workers = 0
    slow_down = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "429", 60.0)
    world.pager.problem = slow_down
    web = world.web()
    world.later(web, ALONE_S + 5)
    world.pager.problem = None
    world.later(web, 30)
    assert world.pager.sent == [], "it asked for a minute"
    world.later(web, 40)
    assert world.pager.sent == [NO_WORKER_KEY]


def test_an_incident_that_lasts_is_told_again_in_case_a_person_closed_it(world: World) -> None:
    world.workers = 0
    web = world.web()
    world.later(web, ALONE_S + AGAIN_S + 10)
    assert world.pager.sent == [NO_WORKER_KEY] * 2


def test_what_is_refused_while_the_process_stops_is_nobodys_emergency(world: World) -> None:
    web = world.web()
    web.close()
    web.not_kept(refused())
    web.round()
    assert world.pager.sent == []
