"""Whoever asks is judged by the same guards; what differs between origins is one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from service.domain.capacity.ledger import Addition, Entry
from service.domain.decisions.controls import HOLD, LOCK, PAUSE, Control
from service.domain.decisions.decision import Check
from service.domain.decisions.policy import LIMITED, Freeze, Policy
from service.domain.decisions.requests import (
    ALERT,
    JOB,
    LEVEL,
    ORIGINS,
    PERSON,
    REPLAY,
    RETURN,
    SCENARIO,
    Origin,
    Request,
)
from service.domain.decisions.returns import Asker, Return
from service.domain.windows import Window
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import WORKER, request_for
from tests.fakes.telling import FakeMetrics

NAME, RUN = WORKER.name, "worker-vm.up.1"
EVERY_DAY = Freeze(Window())


@dataclass(frozen=True)
class Row:
    """What holds a request of one origin, of what does not hold all alike. `rests` is whether its
    claim rests afterwards."""

    origin: str
    held_by: tuple[str, ...]
    rests: bool = True


SILENCE, NOISE = "no alert fires", "an alert fires"
SETTLING = "settling"
TABLE = (
    Row(ALERT, (SILENCE, SETTLING)),
    Row(REPLAY, (SETTLING,)),
    Row(LEVEL, (SETTLING,)),
    Row(RETURN, (NOISE, SETTLING, HOLD)),
    Row(PERSON, (), rests=False),
    Row(SCENARIO, ()),
    Row(JOB, (SETTLING,), rests=False),
)
each_row = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.origin)


def test_the_table_has_every_origin() -> None:
    assert [row.origin for row in TABLE] == list(ORIGINS)


def request_of(kind: str, *freezes: Freeze) -> Request:
    origin = Origin(kind, "a-rule", "somebody asks", ("alert-1",) if kind == ALERT else ())
    policy = Policy(freezes=freezes, returns=Return(60.0, window=Window()))
    direction = "down" if kind == RETURN else "up"
    cooldown = 0.0 if kind in (PERSON, JOB) else 600.0
    return request_for(
        "vertical_scale",
        WORKER,
        origin=origin,
        direction=direction,
        policy=policy,
        cooldown_s=cooldown,
    )


@pytest.fixture
def worker() -> FakeWorker:
    """A worker on a calm day: an alert has added a size an hour ago, and memory is free."""
    worker = FakeWorker()
    ago = worker.clock.time() - 3_600
    small, large = WORKER.sizes[:2]
    added = Addition("worker-vm.up.0", "a-rule", small, large, ago)
    worker.ledger.put(Entry(NAME, "size", large, ago, (added,)))
    worker.metrics = FakeMetrics({"avg(memory_usage)": 20.0})
    return worker


def status(worker: FakeWorker, request: Request) -> str:
    worker.execute(request)
    return worker.runs.outcomes[RUN].status


def in_force(worker: FakeWorker, kind: str) -> None:
    now = worker.clock.time()
    worker.controls.rows.append(Control("c-1", kind, "anna", "at work", now, now + 900, NAME))


def expected(*, held: bool) -> str:
    return "held" if held else "succeeded"


@each_row
def test_on_a_calm_day_every_request_is_carried_out(worker: FakeWorker, row: Row) -> None:
    assert status(worker, request_of(row.origin)) == "succeeded"


@each_row
def test_only_an_alerts_request_is_over_when_no_alert_fires(worker: FakeWorker, row: Row) -> None:
    worker.runs.open.clear()
    assert status(worker, request_of(row.origin)) == expected(held=SILENCE in row.held_by)


@each_row
def test_only_a_return_waits_for_every_alert_to_be_over(worker: FakeWorker, row: Row) -> None:
    worker.ledger.asking.append(Asker("High Memory Usage", fires=True))
    assert status(worker, request_of(row.origin)) == expected(held=NOISE in row.held_by)


@each_row
def test_everybody_but_people_and_scenarios_waits_for_the_target_to_settle(
    worker: FakeWorker, row: Row
) -> None:
    worker.runs.settles[NAME] = worker.clock.time() + 60
    assert status(worker, request_of(row.origin)) == expected(held=SETTLING in row.held_by)


@each_row
def test_a_persons_hold_bars_only_what_takes_away(worker: FakeWorker, row: Row) -> None:
    in_force(worker, HOLD)
    assert status(worker, request_of(row.origin)) == expected(held=HOLD in row.held_by)


def _limited(worker: FakeWorker) -> None:
    worker.runs.holds = Check(LIMITED, passed=False, saw="6 changes within 1 h; 6 are allowed")


HELD_BY_ALL: dict[str, Callable[[FakeWorker], None]] = {
    "a pause": lambda worker: in_force(worker, PAUSE),
    "a lock": lambda worker: in_force(worker, LOCK),
    "another owner's lock in Redis": lambda worker: worker.locks.owners.update(
        {WORKER.resource: "another"}
    ),
    "a limit on the number of changes": _limited,
}


@each_row
@pytest.mark.parametrize("what", HELD_BY_ALL)
def test_what_holds_everybody_holds_every_origin(worker: FakeWorker, row: Row, what: str) -> None:
    HELD_BY_ALL[what](worker)
    assert status(worker, request_of(row.origin)) == "held"


@each_row
def test_a_freeze_window_holds_every_origin(worker: FakeWorker, row: Row) -> None:
    assert status(worker, request_of(row.origin, EVERY_DAY)) == "held"


@each_row
def test_only_a_persons_claim_does_not_rest_afterwards(worker: FakeWorker, row: Row) -> None:
    status(worker, request_of(row.origin))
    rests = worker.runs.outcomes[RUN].cooldown_until > worker.clock.time()
    assert rests == row.rests
