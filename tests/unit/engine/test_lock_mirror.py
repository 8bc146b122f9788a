"""People's locks are shown to other installations in rounds, and hold the runs of those."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from service.domain.decisions.controls import LOCK, Control
from service.domain.rules.rules import RuleBook
from service.engine.lock_mirror import AGAIN_S, LockMirrorRound
from tests.fakes.controls import FakeControls
from tests.fakes.engine import FakeLocks, FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import API, WORKER, request_for

OURS, THEIRS = "0a1b2c3d", "4e5f6a7b"
VM = WORKER.resource
ASK = request_for("vertical_scale", WORKER)


@dataclass(slots=True)
class CountedControls(FakeControls):
    """Counts how often it is read."""

    reads: int = 0

    def in_force(self) -> tuple[Control, ...]:
        self.reads += 1
        return FakeControls.in_force(self)


@dataclass(slots=True)
class CountedLocks(FakeLocks):
    """Counts how often something was shown."""

    shows: int = 0

    def show(self, *arguments: object) -> bool:
        self.shows += 1
        return FakeLocks.show(self, *arguments)  # type: ignore[arg-type]


@pytest.fixture
def locks() -> CountedLocks:
    return CountedLocks()


@pytest.fixture
def controls() -> CountedControls:
    return CountedControls()


@pytest.fixture
def worker(locks: CountedLocks, controls: CountedControls) -> FakeWorker:
    """A worker of our installation, whose rules have two targets."""
    worker = FakeWorker(locks=locks, controls=controls)
    worker.book = RuleBook(rules=(), targets={"worker-vm": WORKER, "api": API}, hash="0123456789ab")
    return worker


@pytest.fixture
def theirs(worker: FakeWorker) -> FakeWorker:
    """A worker of another installation on the same Redis."""
    return FakeWorker(locks=FakeLocks(installation=THEIRS, people=worker.locks.people))


def lock(worker: FakeWorker, target: str = "worker-vm", for_s: float = 900.0) -> Control:
    now = worker.clock.time()
    made = Control("l-1", LOCK, "anna", "I move it", now, now + for_s, target)
    worker.controls.rows.append(made)
    return made


# ---- Rounds ----


def test_a_round_shows_each_lock_that_is_in_force_and_what_is_free(worker: FakeWorker) -> None:
    made = lock(worker)
    worker.locks.people[API.resource, OURS] = made  # of a former lock
    LockMirrorRound(worker.parts)(True)
    assert worker.locks.people == {(VM, OURS): made}


def test_the_first_round_of_a_worker_takes_back_what_one_before_it_has_left(
    worker: FakeWorker,
) -> None:
    worker.locks.people[VM, OURS] = lock(worker)
    worker.controls.rows.clear()
    LockMirrorRound(worker.parts)(False)
    assert worker.locks.people == {}


def test_where_nothing_is_locked_a_round_reads_nothing_and_seldom_shows_it(
    worker: FakeWorker, locks: CountedLocks, controls: CountedControls
) -> None:
    one = LockMirrorRound(worker.parts)
    for _ in range(40):
        one(False)
        worker.clock.sleep(3.0)
    assert controls.reads == 0
    assert locks.shows == 120 / AGAIN_S


def test_a_lock_is_shown_in_each_round(worker: FakeWorker) -> None:
    made = lock(worker)
    one = LockMirrorRound(worker.parts)
    for _ in range(3):
        one(True)
        worker.locks.people.clear()  # Redis was restarted
    one(True)
    assert worker.locks.people == {(VM, OURS): made}


def test_what_was_ended_while_redis_was_away_is_taken_back_when_it_answers(
    worker: FakeWorker,
) -> None:
    lock(worker)
    one = LockMirrorRound(worker.parts)
    one(True)
    worker.locks.away = True
    worker.controls.rows.clear()
    for _ in range(3):
        one(False)
    assert worker.locks.people != {}
    worker.locks.away = False
    one(False)
    assert worker.locks.people == {}


def test_a_lock_of_a_target_that_the_rules_do_not_have_is_left_out(worker: FakeWorker) -> None:
    lock(worker, "another")
    LockMirrorRound(worker.parts)(True)
    assert worker.locks.people == {}


# ---- The runs of the other installation ----


def test_a_persons_lock_elsewhere_holds_a_run_which_says_who_and_until_when(
    worker: FakeWorker, theirs: FakeWorker
) -> None:
    lock(worker)
    LockMirrorRound(worker.parts)(True)
    theirs.execute(ASK)
    outcome = theirs.runs.outcomes[ASK.id]
    assert (outcome.status, theirs.change.value) == ("held", "small")
    assert outcome.reason.startswith("worker-vm is locked by anna, a person at another runbookd")
    assert theirs.runs.checks[ASK.id][-1].guard == "locked"
    (said,) = theirs.said()
    assert "I move it" in said
    assert "It is looked at again in 1 min" in said


def test_a_persons_lock_elsewhere_between_the_look_and_the_first_write_holds_the_run(
    worker: FakeWorker, theirs: FakeWorker
) -> None:
    def anna_locks() -> None:
        lock(worker)
        LockMirrorRound(worker.parts)(True)

    theirs.change.before_write = anna_locks
    theirs.execute(ASK)
    outcome = theirs.runs.outcomes[ASK.id]
    assert (outcome.status, theirs.change.value) == ("held", "small")
    assert "locked by anna" in outcome.reason
    assert not theirs.runs.wrote(ASK.id), "the intent was withdrawn"
    assert theirs.locks.owners == {}


def test_a_run_that_was_adopted_goes_on_whoever_has_locked_meanwhile(
    worker: FakeWorker, theirs: FakeWorker
) -> None:
    """Its former execution may have written, and may have switched a droplet off."""
    steps = Recorder(dies_after="announce")
    with pytest.raises(ProcessEnded):
        theirs.execute(ASK, steps)
    lock(worker)
    LockMirrorRound(worker.parts)(True)
    theirs.execute(ASK, steps)
    assert theirs.runs.outcomes[ASK.id].status == "succeeded"


def test_the_own_worker_is_held_by_no_lock_that_sql_does_not_have(worker: FakeWorker) -> None:
    worker.locks.people[VM, OURS] = replace(lock(worker))
    worker.controls.rows.clear()
    worker.execute(ASK)
    assert worker.runs.outcomes[ASK.id].status == "succeeded"
