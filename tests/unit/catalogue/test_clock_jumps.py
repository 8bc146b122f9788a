"""A clock that jumps in the middle changes nothing: durations are measured by one that cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.catalogue.droplet.plan import snapshot_name
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll
from service.catalogue.steps.timings import Timings
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.runs import Intent
from service.retry import call_with_retries
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock, JumpingClock, OthersClock
from tests.fakes.database import FakeDatabase
from tests.fakes.droplets import FakeDroplets
from tests.fakes.faults import vendor_error
from tests.fakes.runs import (
    API,
    DATABASE,
    WORKER,
    FakeContext,
    FakeRun,
    planned,
    request_for,
    works_on,
)
from tests.reliability import VendorSaw, scenario

HOUR_S = 3_600.0
EACH_WAY = pytest.mark.parametrize(
    "jumps", [(HOUR_S,), (-HOUR_S,), (HOUR_S, -HOUR_S)], ids=["ahead", "back", "to and fro"]
)


def _replicas(clock: FakeClock) -> FakeRun:
    works = works_on(clock, apps=FakeApps(OthersClock(clock)))
    return planned(works, request_for("horizontal_scale", API), clock)


def _droplet(clock: FakeClock, **trouble: object) -> FakeRun:
    theirs = OthersClock(clock)
    droplets = FakeDroplets(theirs, **trouble)  # type: ignore[arg-type]  # its own fields
    works = works_on(clock, apps=FakeApps(theirs), droplets=droplets)
    return planned(works, request_for("vertical_scale", WORKER), clock)


def _droplet_that_ignores_its_shutdown(clock: FakeClock) -> FakeRun:
    return _droplet(clock, ignores_shutdown=True)


def _droplet_whose_snapshot_of_a_former_execution_is_listed_late(clock: FakeClock) -> FakeRun:
    droplets = FakeDroplets(OthersClock(clock), listing_lag_s=40.0)
    works = works_on(clock, apps=FakeApps(OthersClock(clock)), droplets=droplets)
    run = planned(works, request_for("vertical_scale", WORKER), clock)
    run.intents["snapshot"] = clock.time()
    droplets.start("snapshot", name=snapshot_name(run.request.id, clock.time()))
    return run


def _database(clock: FakeClock) -> FakeRun:
    works = works_on(clock, database=FakeDatabase(OthersClock(clock)))
    return planned(works, request_for("scale_database", DATABASE), clock)


def _database_that_has_the_size_already(clock: FakeClock) -> FakeRun:
    database = FakeDatabase(OthersClock(clock))
    works = works_on(clock, database=database)
    run = planned(works, request_for("scale_database", DATABASE), clock)
    database.variant = run.plan.wanted["after"]
    return run


@EACH_WAY
@pytest.mark.parametrize(
    "make",
    [
        _replicas,
        _droplet,
        _droplet_that_ignores_its_shutdown,
        _droplet_whose_snapshot_of_a_former_execution_is_listed_late,
        _database,
        _database_that_has_the_size_already,
    ],
)
def test_each_verb_waits_and_ends_as_with_a_clock_that_stands(
    make: Callable[[FakeClock], FakeRun], jumps: tuple[float, ...]
) -> None:
    steady, jumping = FakeClock(), JumpingClock(jumps)
    runs = [make(steady), make(jumping)]
    for run in runs:
        run.execute()
    assert jumping.slept == steady.slept
    assert runs[0].records.keys() == runs[1].records.keys()


@scenario(
    "Clocks, workers and mistakes of our own",
    "The clock of the worker jumps by an hour in the middle of a resize, ahead or back.",
    "Every wait is as long as with a clock that stands, and the run succeeds.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on",
)
@EACH_WAY
def test_a_resize_is_made_once_whatever_the_clock_does(
    jumps: tuple[float, ...], vendor_saw: VendorSaw
) -> None:
    steady, jumping = FakeClock(), JumpingClock(jumps)
    _droplet(steady).execute()
    droplets = FakeDroplets(OthersClock(jumping))
    works = works_on(jumping, apps=FakeApps(OthersClock(jumping)), droplets=droplets)
    planned(works, request_for("vertical_scale", WORKER), jumping).execute()
    assert jumping.slept == steady.slept
    assert droplets.status == "active"
    vendor_saw(droplets.writes.effective)


@EACH_WAY
def test_a_droplet_that_never_comes_on_is_given_up_after_the_same_time(
    jumps: tuple[float, ...],
) -> None:
    def gives_up(clock: FakeClock) -> list[float]:
        run = _droplet(clock, fails={"power_on"})
        with pytest.raises(StepFailed, match="did not come on"):
            run.execute()
        return clock.slept

    assert gives_up(JumpingClock(jumps)) == gives_up(FakeClock())


@EACH_WAY
def test_a_wait_ends_at_its_deadline(jumps: tuple[float, ...]) -> None:
    clock = JumpingClock(jumps)
    late = StepFailed("verify", "It was late.")
    with pytest.raises(StepFailed):
        poll(lambda: None, clock=clock, timings=Timings(), deadline_s=100.0, late=lambda: late)
    assert 100.0 <= sum(clock.slept) < 100.0 + Timings().poll_max_s


@EACH_WAY
def test_an_unanswered_write_is_looked_after_for_its_whole_time(jumps: tuple[float, ...]) -> None:
    clock = JumpingClock(jumps)
    sent_after: list[float] = []

    def look() -> Applied | Pending[str]:
        return Applied({"done": True}) if sent_after else Pending("basis")

    def send(_basis: str) -> dict[str, bool]:
        sent_after.append(sum(clock.slept))
        return {"done": True}

    write = Write("change", "the write", look, send)
    apply_once(
        FakeContext(clock, {}), Intent("change", clock.time(), repeated=True), write, Timings()
    )

    assert sent_after[0] >= Timings().settle_unknown_s


@EACH_WAY
def test_retries_end_with_their_budget_and_not_before(jumps: tuple[float, ...]) -> None:
    clock = JumpingClock(jumps)

    def away() -> None:
        raise vendor_error(FailureKind.TEMPORARY)

    with pytest.raises(VendorError):
        call_with_retries(away, clock=clock, attempts=1_000, budget_s=100.0, jitter=lambda: 1.0)
    assert 100.0 - 30.0 < sum(clock.slept) <= 100.0
