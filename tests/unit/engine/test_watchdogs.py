"""Rounds that listen for watchdogs, and the heartbeat."""

from __future__ import annotations

from dataclasses import replace

from service.domain.errors import FailureKind
from service.domain.heartbeat import EVERY_S, Waiting
from service.domain.rules.rules import RuleBook
from service.domain.watchdogs import GRACE_S, Watchdog
from service.engine.heartbeat import AGAIN_S, HeartbeatRound
from service.engine.watchdogs import ASK_EVERY_S, HOLD_S, WatchdogRound
from tests.fakes.engine import FakeWorker
from tests.fakes.faults import vendor_error
from tests.fakes.watchdogs import FakeHeartbeat

DOG = Watchdog("Watchdog", 600.0)
BOOK = RuleBook((), {}, "0123456789ab", watchdogs={"Watchdog": DOG})


class World:
    """A worker that listens, and a watchdog that it has heard just now."""

    def __init__(self) -> None:
        self.worker = FakeWorker()
        self.worker.book = BOOK
        self.round = WatchdogRound(self.worker.parts)
        self.heard()
        self.round(True)

    def heard(self) -> None:
        self.worker.watchdogs.words["Watchdog"] = self.worker.clock.time()

    def later(self, seconds: float) -> None:
        """That much later, with a round every ten seconds."""
        until = self.worker.clock.now + seconds
        while self.worker.clock.now < until:
            self.worker.clock.sleep(ASK_EVERY_S)
            self.round(True)

    @property
    def told(self) -> list[str]:
        return [waiting.message.title for waiting, _ in self.worker.outbox.rows.values()]

    @property
    def open(self) -> list[str]:
        return [page.summary for page in self.worker.pager.open.values()]


def test_a_watchdog_that_is_silent_for_too_long_pages_once_and_is_told_once() -> None:
    world = World()
    world.later(590)
    assert (world.told, world.worker.pager.tries) == ([], 0)
    world.later(3_600)
    assert world.worker.pager.tries == 1
    (page,) = world.open
    assert page.startswith("No alerts may be arriving: Watchdog always fires, and was last heard")
    assert "10 min ago" in page
    assert world.told == ["Silent: Watchdog"]


def test_a_watchdog_that_is_repeated_in_time_pages_nobody() -> None:
    world = World()
    for _ in range(10):
        world.later(590)
        world.heard()
    assert (world.told, world.worker.pager.tries) == ([], 0)


def test_a_watchdog_that_is_heard_again_closes_its_page_and_is_told_once() -> None:
    world = World()
    world.later(700)
    world.heard()
    world.later(300)
    assert world.open == []
    assert world.told == ["Silent: Watchdog", "Heard again: Watchdog"]
    world.later(700)
    assert world.worker.pager.tries == 2
    assert len(world.open) == 1


def test_a_restart_forgets_neither_how_long_it_was_silent_nor_that_people_were_told() -> None:
    world = World()
    world.later(300)
    world.round = WatchdogRound(world.worker.parts)
    world.later(310)
    assert world.told == ["Silent: Watchdog"]
    world.round = WatchdogRound(world.worker.parts)
    world.later(3_600)
    assert (world.told, world.worker.pager.tries) == (["Silent: Watchdog"], 1)


def test_after_a_downtime_the_sender_has_time_to_be_heard_before_anybody_is_paged() -> None:
    world = World()
    world.worker.clock.sleep(7_200)
    world.round = WatchdogRound(world.worker.parts)
    world.later(GRACE_S - ASK_EVERY_S)
    assert world.told == []
    world.heard()
    world.later(300)
    assert world.told == []


def test_a_watchdog_that_was_never_heard_pages_nobody() -> None:
    world = World()
    world.worker.watchdogs.words.clear()
    world.worker.watchdogs.rows.clear()
    world.later(86_400)
    assert (world.told, world.open) == ([], [])


def test_of_two_workers_one_tells_and_one_pages() -> None:
    world = World()
    other = WatchdogRound(world.worker.parts)
    world.worker.clock.sleep(600)
    for look in (world.round, other):
        look(True)
    assert (world.told, world.worker.pager.tries) == (["Silent: Watchdog"], 1)


def test_a_pager_that_is_away_is_told_again_and_slack_is_told_once_that_nobody_was_paged() -> None:
    world = World()
    world.worker.pager.problem = vendor_error(FailureKind.TEMPORARY, "away")
    world.later(600 + 3 * HOLD_S)
    assert world.worker.pager.tries == 4
    assert [each for each in world.worker.said() if "Nobody was paged" in each] != []
    assert len(world.worker.messenger.messages) == 1
    world.worker.pager.problem = None
    world.later(HOLD_S)
    assert len(world.open) == 1


def test_of_several_workers_one_tells_slack_that_nobody_was_paged_also_after_a_restart() -> None:
    world = World()
    world.worker.pager.problem = vendor_error(FailureKind.TEMPORARY, "away")
    workers = [WatchdogRound(world.worker.parts) for _ in range(3)]
    world.later(600)
    for number in range(12):
        world.worker.clock.sleep(HOLD_S)
        workers[number % 3](True)
    assert world.worker.pager.tries > 6
    world.round = WatchdogRound(world.worker.parts)
    world.later(600)
    told = [each for each in world.worker.said() if "Nobody was paged" in each]
    assert len(told) == 1


def test_a_page_that_is_taken_after_the_watchdog_came_back_is_closed_again() -> None:
    world = World()

    def comes_back() -> None:
        now = world.worker.clock.time()
        row = world.worker.watchdogs.rows["Watchdog"]
        world.worker.watchdogs.rows["Watchdog"] = replace(row, silent_since=None, heard_at=now)

    world.worker.pager.on_taken = comes_back
    world.later(600)
    assert world.worker.pager.tries == 1
    assert world.open == []


def test_a_pager_that_refuses_for_good_does_not_keep_people_from_hearing_that_it_is_back() -> None:
    world = World()
    world.later(600)
    world.worker.pager.problem = vendor_error(FailureKind.PERMANENT, "invalid routing key")
    world.heard()
    world.later(HOLD_S)
    assert world.told == ["Silent: Watchdog", "Heard again: Watchdog"]


def test_a_watchdog_that_the_rules_name_no_more_is_forgotten_and_its_page_is_closed() -> None:
    world = World()
    world.later(600)
    world.worker.book = RuleBook((), {}, "ba9876543210")
    world.worker.levels.rules = "ba9876543210"
    world.round = WatchdogRound(world.worker.parts)
    world.later(ASK_EVERY_S)
    assert world.open == []
    assert world.worker.watchdogs.rows == {}


NO_DOGS = RuleBook((), {}, "ba9876543210")


def reloaded(world: World, book: RuleBook) -> None:
    """The same worker goes by other rules from now on."""
    world.worker.book = book
    world.worker.levels.rules = book.hash
    world.later(ASK_EVERY_S)


def test_rules_that_come_back_without_a_watchdog_close_the_page_that_others_have_opened() -> None:
    world = World()
    reloaded(world, NO_DOGS)
    reloaded(world, BOOK)
    world.heard()
    world.later(700)
    assert len(world.open) == 1
    reloaded(world, NO_DOGS)
    assert (world.open, world.worker.watchdogs.rows) == ([], {})


def test_a_page_that_could_not_be_closed_when_the_rules_dropped_its_watchdog_is_closed_later() -> (
    None
):
    world = World()
    world.later(600)
    world.worker.pager.problem = vendor_error(FailureKind.TEMPORARY, "away")
    reloaded(world, NO_DOGS)
    assert len(world.open) == 1
    world.worker.pager.problem = None
    world.later(ASK_EVERY_S)
    assert (world.open, world.worker.watchdogs.rows) == ([], {})


def test_a_worker_whose_rules_are_not_in_force_any_more_listens_for_nothing() -> None:
    world = World()
    world.worker.levels.rules = "ba9876543210"
    world.later(3_600)
    assert world.told == []


# ---- The heartbeat ----


def heartbeat(worker: FakeWorker) -> FakeHeartbeat:
    worker.heartbeat = FakeHeartbeat()
    return worker.heartbeat


def later(worker: FakeWorker, seconds: float, *rounds: HeartbeatRound) -> None:
    until = worker.clock.now + seconds
    while worker.clock.now < until:
        for each in rounds:
            each(True)
        worker.clock.sleep(5.0)


def test_one_of_several_workers_calls_the_address_each_minute() -> None:
    worker = FakeWorker()
    address = heartbeat(worker)
    later(worker, 10 * EVERY_S, HeartbeatRound(worker.parts), HeartbeatRound(worker.parts))
    assert address.beats == 10
    assert worker.heartbeats.problem == ""


def test_while_the_queue_does_not_move_no_address_is_called() -> None:
    worker = FakeWorker()
    address = heartbeat(worker)
    worker.heartbeats.waits = Waiting(run_since=worker.clock.time() - 1_300)
    later(worker, 300, HeartbeatRound(worker.parts))
    assert address.beats == 0
    assert worker.heartbeats.problem.startswith("the oldest run has waited for 2")
    worker.heartbeats.waits = Waiting()
    later(worker, AGAIN_S + 10, HeartbeatRound(worker.parts))
    assert (address.beats, worker.heartbeats.problem) == (1, "")


def test_a_call_that_fails_is_noted_and_tried_again_by_whoever_comes_first() -> None:
    worker = FakeWorker()
    address = heartbeat(worker)
    address.problem = vendor_error(FailureKind.TEMPORARY, "no route to host")
    look, other = HeartbeatRound(worker.parts), HeartbeatRound(worker.parts)
    look(True)
    assert "no route to host" in worker.heartbeats.problem
    address.problem = None
    worker.clock.sleep(AGAIN_S)
    other(True)
    assert (address.beats, worker.heartbeats.problem) == (2, "")


def test_without_an_address_the_store_is_asked_for_nothing() -> None:
    worker = FakeWorker()
    later(worker, 300, HeartbeatRound(worker.parts))
    assert worker.heartbeats.due_at == 0.0
