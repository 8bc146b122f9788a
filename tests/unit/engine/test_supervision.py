from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

import pytest
import structlog

from service.catalogue.steps.timings import Timings
from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.controls import LOCK, Control
from service.domain.errors import FailureKind, VendorError
from service.domain.rules.rules import RuleBook
from service.engine.lease import LATE_WRITE_S, ROUNDS_PER_LEASE, LeaseKeeper
from service.engine.supervision import Engine, Supervisor
from service.ports import Message
from service.ports.offs import ON, Resize, Sent
from service.ports.outbox import Waiting
from service.ports.runs import Outcome, Signs
from service.providers.waits import Timeouts
from service.settings import load_settings
from tests.fakes.engine import FakeWorker, ProcessEnded
from tests.fakes.runs import WORKER, request_for
from tests.processes import wait_until

ASK = request_for("vertical_scale", WORKER)
RUN = ASK.id
ME = "me"
HOUR_S = 3_600.0
DOWN = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "It cannot be reached.")


class FakeEngine:
    """Workflows by the executor that has them, and how those ended that have."""

    def __init__(self, **of: list[str]) -> None:
        self.of = of
        self.queued: list[str] = []
        self.executing: set[str] = set()
        self.ended: dict[str, str] = {}
        self.meanwhile: Callable[[], object] = lambda: None

    def hand_on(self, executor: str) -> int:
        taken = self.of.pop(executor, [])
        self.queued += taken
        return len(taken)

    def ended_of(self, run_ids: list[str]) -> Mapping[str, str]:
        self.meanwhile()
        return {run: status for run, status in self.ended.items() if run in run_ids}

    def supervisor(self, worker: FakeWorker, lease_s: float = 15.0) -> Supervisor:
        engine = Engine(
            pending_executors=lambda: set(self.of),
            pending_of=lambda executor: set(self.of.get(executor, ())),
            hand_on=self.hand_on,
            ended=lambda run_ids: dict(self.ended_of(run_ids)),
            statuses=lambda _ids: {},
        )
        return Supervisor(worker.parts, ME, lease_s, lambda: self.executing, engine)


@pytest.fixture
def worker() -> FakeWorker:
    worker = FakeWorker()
    worker.leases.alive = {ME: True, "other": True}
    return worker


# ---- Adoption ----


def test_the_runs_of_a_worker_whose_lease_is_over_are_handed_on(worker: FakeWorker) -> None:
    worker.leases.silent = {"other"}
    engine = FakeEngine(me=["a"], other=["b", "c"])

    engine.supervisor(worker).adopt()

    assert engine.queued == ["b", "c"]
    assert worker.leases.alive == {ME: True, "other": False}


def test_the_runs_of_a_live_worker_are_left_to_it(worker: FakeWorker) -> None:
    engine = FakeEngine(me=["a"], other=["b"])
    engine.supervisor(worker).adopt()
    assert engine.queued == []


def test_the_runs_of_a_worker_that_ended_in_good_order_are_handed_on_at_once(
    worker: FakeWorker,
) -> None:
    worker.leases.retire("other")
    engine = FakeEngine(other=["b"])
    engine.supervisor(worker).adopt()
    assert engine.queued == ["b"]


def test_the_runs_of_a_worker_that_nobody_knows_are_handed_on(worker: FakeWorker) -> None:
    engine = FakeEngine(**{"forgotten-long-ago": ["b"]})
    engine.supervisor(worker).adopt()
    assert engine.queued == ["b"]


def test_a_worker_whose_own_lease_is_over_is_late_and_neither_retires_itself_nor_its_runs(
    worker: FakeWorker,
) -> None:
    worker.leases.silent = {ME}
    engine = FakeEngine(me=["a"])

    engine.supervisor(worker).adopt()

    assert engine.queued == []
    assert worker.leases.alive[ME]


def test_what_was_adopted_once_is_not_adopted_again(worker: FakeWorker) -> None:
    worker.leases.retire("other")
    engine = FakeEngine(other=["b"])
    supervisor = engine.supervisor(worker)

    supervisor.adopt()
    supervisor.adopt()

    assert engine.queued == ["b"]


# ---- Lost runs ----


@pytest.mark.parametrize("status", ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
def test_a_run_whose_workflow_ended_without_an_outcome_is_paged_and_made_safe(
    worker: FakeWorker, status: str
) -> None:
    worker.runs.add(ASK)
    engine = FakeEngine()
    engine.ended = {RUN: status}

    engine.supervisor(worker).sweep()

    ((late, delay_s),) = worker.late
    page = late.page
    assert (page.dedup_key, delay_s) == (run_dedup_key(RUN), 0.0)
    assert page.severity == "critical"
    assert status in page.summary
    assert worker.looks == [(RUN, "lost", 0.0)]
    assert worker.runs.outcomes[RUN].status == "failed"
    assert worker.runs.outcomes[RUN].cooldown_until == worker.clock.time() + ASK.cooldown_s


def test_a_lost_run_whose_record_cannot_be_read_is_paged_and_hides_no_other(
    worker: FakeWorker,
) -> None:
    other = request_for("vertical_scale", WORKER, id="worker-vm.up.2")
    worker.runs.add(ASK)
    worker.runs.add(other)
    worker.runs.unreadable = {RUN}
    engine = FakeEngine()
    engine.ended = {RUN: "ERROR", other.id: "ERROR"}

    engine.supervisor(worker).sweep()

    assert [late.page.dedup_key for late, _ in worker.late] == [
        run_dedup_key(RUN),
        run_dedup_key(other.id),
    ]
    assert {run: each.status for run, each in worker.runs.outcomes.items()} == {
        RUN: "failed",
        other.id: "failed",
    }


def test_a_lost_run_is_paged_once(worker: FakeWorker) -> None:
    worker.runs.add(ASK)
    engine = FakeEngine()
    engine.ended = {RUN: "ERROR"}
    supervisor = engine.supervisor(worker)

    supervisor.sweep()
    supervisor.sweep()

    assert len(worker.late) == 1


def test_a_pager_that_is_away_keeps_no_dead_workers_runs_waiting(worker: FakeWorker) -> None:
    for generation in range(20):
        worker.runs.add(request_for("vertical_scale", WORKER, id=f"worker-vm.up.{generation}"))
    worker.pager.problem = DOWN
    engine = FakeEngine()
    engine.ended = dict.fromkeys(worker.runs.rows, "ERROR")
    began_at = worker.clock.time()

    engine.supervisor(worker).sweep()

    assert worker.pager.tries == 0
    assert len(worker.late) == 20
    assert worker.clock.time() == began_at


def test_a_run_that_ended_in_good_order_since_it_was_listed_is_not_lost(
    worker: FakeWorker,
) -> None:
    worker.runs.add(ASK)
    engine = FakeEngine()
    engine.ended = {RUN: "SUCCESS"}
    done = Outcome("succeeded", "", 0.0)
    engine.meanwhile = lambda: worker.runs.conclude(RUN, done, 0.0)

    engine.supervisor(worker).sweep()

    assert worker.late == []
    assert worker.looks == []
    assert worker.runs.outcomes == {RUN: done}


def test_a_run_that_is_under_way_is_not_lost(worker: FakeWorker) -> None:
    worker.runs.add(ASK)
    FakeEngine().supervisor(worker).sweep()
    assert worker.late == []
    assert worker.looks == []
    assert worker.runs.outcomes == {}


# ---- Rounds ----


def test_a_round_without_signs_asks_neither_the_store_nor_the_engine(worker: FakeWorker) -> None:
    def asked(*_: object) -> NoReturn:
        raise AssertionError("nothing was to be asked")

    worker.runs.down = worker.offs.down = True
    supervisor = Supervisor(worker.parts, ME, 15.0, set, Engine(asked, asked, asked, asked, asked))
    for _ in range(3):
        supervisor.round(Signs())


@pytest.mark.parametrize("sign", [Signs(dead=True), Signs(left=True)])
def test_a_sign_of_a_dead_worker_or_of_what_it_left_has_its_runs_handed_on(
    worker: FakeWorker, sign: Signs
) -> None:
    worker.leases.silent = {"other"}
    engine = FakeEngine(other=["b"])
    engine.supervisor(worker).round(sign)
    assert engine.queued == ["b"]


def test_a_sign_of_a_droplet_that_may_be_off_has_it_looked_at(worker: FakeWorker) -> None:
    droplet_off(worker)
    FakeEngine().supervisor(worker).round(Signs(off=True))
    assert worker.looks == [(RUN, "on.0", 0.0)]


def test_a_droplet_that_is_watched_here_is_looked_for_until_its_record_has_ended(
    worker: FakeWorker,
) -> None:
    droplet_off(worker)
    supervisor = FakeEngine().supervisor(worker)
    supervisor.round(Signs(off=True))
    assert worker.off_watch.runs() == {RUN}
    worker.offs.end(RUN, ON, worker.clock.time())
    supervisor.round(Signs())
    assert worker.off_watch.runs() == frozenset()


def droplet_off(worker: FakeWorker) -> None:
    """As a worker that nobody knows left it."""
    now = worker.clock.time()
    worker.offs.hold(Resize(RUN, "do-droplet:101", "101", "large"), "a dead worker", now)
    worker.offs.sending(RUN, Sent("shutdown", 7), now)


def test_a_sign_of_a_run_without_an_outcome_has_lost_ones_paged_in_one_of_three_rounds(
    worker: FakeWorker,
) -> None:
    worker.runs.add(ASK)
    engine = FakeEngine()
    engine.ended = {RUN: "ERROR"}
    supervisor = engine.supervisor(worker)
    for _ in range(3):
        supervisor.round(Signs(unended=True))
    assert len(worker.late) == 1


def test_a_sign_of_runs_under_way_here_has_stranded_ones_end_the_process(
    worker: FakeWorker,
) -> None:
    supervisor = FakeEngine(**{ME: [RUN]}).supervisor(worker)
    for _ in range(3):
        supervisor.round(Signs(here=True))
    worker.clock.sleep(15.0)
    for _ in range(2):
        supervisor.round(Signs(here=True))
    with pytest.raises(ProcessEnded, match=RUN):
        supervisor.round(Signs(here=True))


def test_a_run_that_was_not_under_way_here_in_between_is_not_stranded(worker: FakeWorker) -> None:
    supervisor = FakeEngine(**{ME: [RUN]}).supervisor(worker)
    for signs in (Signs(here=True), Signs(), Signs(here=True)):
        for _ in range(3):
            supervisor.round(signs)
        worker.clock.sleep(15.0)


def test_a_supervisor_that_was_started_has_a_round_with_each_sign_of_life(
    worker: FakeWorker,
) -> None:
    engine = FakeEngine()
    supervisor = engine.supervisor(worker)
    supervisor.start()
    try:
        for run in ("b", "c"):
            worker.leases.alive["other"] = False
            engine.of["other"] = [run]
            supervisor.tell(Signs(left=True))
            assert wait_until(lambda: run in engine.queued, 30.0)  # noqa: B023 - awaited here
    finally:
        supervisor.stop()


def test_a_supervisor_that_starts_looks_for_everything_before_any_sign(worker: FakeWorker) -> None:
    droplet_off(worker)
    worker.leases.retire("other")
    engine = FakeEngine(other=["b"])
    supervisor = engine.supervisor(worker)
    supervisor.start()
    supervisor.stop()
    assert engine.queued == ["b"]
    assert worker.looks == [(RUN, "on.0", 0.0)]
    assert worker.leases.forgotten, "a start adds a row of workers, and removes old ones"


# ---- The lease ----


def keeper(
    worker: FakeWorker, *under_way: str, tell: Callable[[Signs], None] = lambda _: None
) -> LeaseKeeper:
    return LeaseKeeper(worker.parts, ME, 15.0, lambda: under_way, tell)


def test_a_worker_that_is_alive_goes_on_and_tells_what_it_saw(worker: FakeWorker) -> None:
    worker.leases.signs = Signs(dead=True, off=True)
    told: list[Signs] = []
    keeper(worker, tell=told.append).renew()
    assert worker.ended_because == []
    assert told == [worker.leases.signs]


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_how_long_a_worker_was_silent_is_told_right_after_a_jump_of_the_clock(
    worker: FakeWorker, jump_s: float
) -> None:
    worker.leases.down = True
    lease = keeper(worker)
    worker.clock.sleep(6.0)
    worker.clock.jump(jump_s)
    with structlog.testing.capture_logs() as logs:
        lease.renew()
    assert [(each["event"], each["silent_s"]) for each in logs] == [("lease_not_renewed", 6.0)]


def test_a_retired_worker_queues_looks_at_what_it_was_doing_and_ends(worker: FakeWorker) -> None:
    worker.leases.retire(ME)

    told: list[Signs] = []
    with pytest.raises(ProcessEnded):
        keeper(worker, RUN, tell=told.append).renew()

    assert worker.looks == [(RUN, "retired.me", LATE_WRITE_S)]
    assert told == [], "its supervisor has nothing to do any more"


def test_a_late_write_has_arrived_before_it_is_looked_for() -> None:
    assert Timeouts().connect + Timeouts().slow_read < LATE_WRITE_S


def test_a_lease_outlasts_the_longest_call_of_a_vendor() -> None:
    assert Timeouts().total < load_settings({}).worker_lease_s


def test_a_droplet_whose_worker_died_is_being_powered_on_within_a_minute() -> None:
    lease_s, poll_s = load_settings({}).worker_lease_s, load_settings({}).worker_poll_s
    until_adopted = lease_s + lease_s / ROUNDS_PER_LEASE + poll_s
    # Then the section waits for what may be on its way, and looks twice before it acts.
    until_acted = until_adopted + Timings().settle_disruptive_s + 2 * Timeouts().total
    assert until_acted < 60.0


def test_a_database_that_is_away_does_not_end_a_worker_by_itself(worker: FakeWorker) -> None:
    worker.leases.down = True
    keeper(worker).renew()
    assert worker.ended_because == []


# ---- Runs that the library left stranded here ----


def test_a_run_that_is_recorded_here_and_not_executed_for_a_lease_ends_the_process(
    worker: FakeWorker,
) -> None:
    supervisor = FakeEngine(**{ME: [RUN]}).supervisor(worker)
    supervisor.end_when_stranded()
    worker.clock.sleep(14.0)
    supervisor.end_when_stranded()
    worker.clock.sleep(1.0)
    with pytest.raises(ProcessEnded, match=RUN):
        supervisor.end_when_stranded()


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_jumps_neither_hastens_nor_delays_the_end_of_a_stranded_run(
    worker: FakeWorker, jump_s: float
) -> None:
    supervisor = FakeEngine(**{ME: [RUN]}).supervisor(worker)
    supervisor.end_when_stranded()
    worker.clock.sleep(14.0)
    worker.clock.jump(jump_s)
    supervisor.end_when_stranded()
    worker.clock.sleep(1.0)
    with pytest.raises(ProcessEnded, match=RUN):
        supervisor.end_when_stranded()


def test_a_run_that_is_executed_here_is_not_stranded_however_long_it_takes(
    worker: FakeWorker,
) -> None:
    engine = FakeEngine(**{ME: [RUN]})
    supervisor = engine.supervisor(worker)
    for _ in range(3):
        engine.executing = {RUN}
        supervisor.end_when_stranded()
        worker.clock.sleep(60.0)
    engine.executing = set()
    supervisor.end_when_stranded()


def test_a_message_that_is_due_is_told_beside_the_rounds() -> None:
    worker = FakeWorker()
    waiting = Waiting("m-1", Message("Failed", "text"), None, None, "", 0.0, 1, 1)
    worker.outbox.put(waiting, 0.0)
    supervisor = FakeEngine().supervisor(worker)
    supervisor.start()
    supervisor.round(Signs(untold=True))
    assert wait_until(lambda: worker.outbox.count() == 0, 30)
    supervisor.stop()
    assert worker.said() == ["Failed | text"]


# ---- What people have locked ----


def test_each_sign_of_life_has_the_locks_of_people_shown_to_other_installations(
    worker: FakeWorker,
) -> None:
    now = worker.clock.time()
    lock = Control("l-1", LOCK, "anna", "I move it", now, now + 900, "worker-vm")
    worker.controls.rows.append(lock)
    worker.book = RuleBook(rules=(), targets={"worker-vm": WORKER}, hash="0123456789ab")
    supervisor = FakeEngine().supervisor(worker)
    supervisor.start()
    try:
        supervisor.round(Signs(locked=True))
        assert wait_until(lambda: list(worker.locks.people.values()) == [lock], 10)
        worker.controls.rows.clear()
        supervisor.round(Signs())
        assert wait_until(lambda: worker.locks.people == {}, 10)
    finally:
        supervisor.stop()
