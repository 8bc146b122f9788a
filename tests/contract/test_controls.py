"""Pauses, locks, limits and alerts that are due: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.decisions.controls import PAUSE, Control
from service.domain.decisions.policy import EACH_TARGET, Limit, Policy
from service.domain.decisions.requests import PERSON, SCENARIO, Origin, Request, Wanted
from service.domain.errors import StoreConflict
from service.ports.admission import NewRun
from service.ports.controls import Controls
from service.ports.runs import Outcome
from service.store.admissions import SqlJournal, add_run
from service.store.bell import bell_of
from service.store.controls import ControlStore
from service.store.due import DueStore
from service.store.runs import RunStore
from tests.contract.admission import SqlDesk
from tests.contract.leases import lease_store
from tests.fakes.alerts import CPU, ERRORS, MEMORY, NOW, alert, delivery, resolved
from tests.fakes.controls import FakeControls, FakeDue
from tests.fakes.runs import API, WORKER, request_for

API_PAUSE = Control("p-1", PAUSE, "anna", "the vendor is down", NOW, NOW + 900, "api")
ALL_PAUSE = Control("p-2", PAUSE, "bob", "exams", NOW + 1, NOW + 600)
RUN = request_for("horizontal_scale", API, cooldown_s=600.0)


@pytest.fixture(params=["fake", "sql"])
def controls(request: pytest.FixtureRequest, engine: sa.Engine) -> Controls:
    if request.param == "fake":
        return FakeControls([API_PAUSE, ALL_PAUSE])
    store = ControlStore(engine, bell_of(engine))
    store.put(API_PAUSE)
    store.put(ALL_PAUSE)
    return store


def test_what_was_put_in_force_is_read_as_it_was_put(controls: Controls) -> None:
    assert controls.in_force() == (API_PAUSE, ALL_PAUSE)


def test_what_is_over_is_ended_and_read_no_more(controls: Controls) -> None:
    controls.end_over(NOW + 599.9)
    assert len(controls.in_force()) == 2
    controls.end_over(NOW + 600)
    assert controls.in_force() == (API_PAUSE,)


@pytest.fixture
def store(engine: sa.Engine) -> ControlStore:
    return ControlStore(engine, bell_of(engine))


@pytest.fixture
def desk(engine: sa.Engine) -> SqlDesk:
    return SqlDesk(engine)


def test_a_pause_is_ended_once_and_what_is_over_is_not_ended(store: ControlStore) -> None:
    store.put(API_PAUSE)
    assert store.end(["p-1"], "bob", NOW + 10) == [API_PAUSE]
    assert store.end(["p-1"], "bob", NOW + 11) == []
    store.put(ALL_PAUSE)
    assert store.end(["p-2"], "bob", NOW + 600) == []


def test_a_record_beside_a_control_is_kept_with_it_or_not_at_all(
    store: ControlStore, engine: sa.Engine
) -> None:
    def refuse(_connection: sa.Connection) -> None:
        raise RuntimeError("the audit cannot be written")

    with pytest.raises(RuntimeError):
        store.put(API_PAUSE, refuse)
    assert store.in_force() == ()
    store.put(API_PAUSE)
    with pytest.raises(RuntimeError):
        store.end(["p-1"], "bob", NOW + 10, refuse)
    assert store.in_force() == (API_PAUSE,)


def test_an_alert_is_decided_by_the_pauses_on_record(store: ControlStore, desk: SqlDesk) -> None:
    store.put(API_PAUSE)
    cpu, memory = desk.verdicts(delivery(alert(CPU), alert(MEMORY), at=NOW + 1))
    assert (cpu.guard, memory.verdict) == ("paused", "act")
    store.end(["p-1"], "bob", NOW + 2)
    (after,) = desk.verdicts(delivery(alert(CPU), at=NOW + 3))
    assert after.verdict == "act"


@pytest.mark.parametrize("claimed", [[], ["api.out"], ["api.out", "worker-vm.up"]])
@pytest.mark.parametrize("paused", [[], [API_PAUSE], [API_PAUSE, ALL_PAUSE]])
def test_a_batch_knows_every_pause_whatever_is_known_of_its_claims(
    store: ControlStore, engine: sa.Engine, claimed: list[str], paused: list[Control]
) -> None:
    for each in paused:
        store.put(each)
    journal = SqlJournal(engine, lambda *_: None)
    with journal.transaction() as transaction:
        transaction.claim(claimed, NOW)
    with journal.transaction() as transaction:
        on_record = transaction.read({1}, {"api.out", "worker-vm.up"})
    assert sorted(on_record.cooldowns) == claimed
    assert sorted(each.id for each in on_record.controls) == [each.id for each in paused]
    store.end([each.id for each in paused], "bob", NOW + 1)
    with journal.transaction() as transaction:
        assert transaction.read({1}, {"api.out"}).controls == ()


def test_ending_a_pause_makes_what_it_held_due_at_once(
    store: ControlStore, desk: SqlDesk, engine: sa.Engine
) -> None:
    due = DueStore(engine)
    store.put(API_PAUSE)
    desk.admit(delivery(alert(CPU), at=NOW + 1))
    assert due.next_due() == NOW + 900
    store.end(["p-1"], "bob", NOW + 10)
    assert due.next_due() == NOW + 10


def test_an_alert_that_is_due_is_loaded_as_it_came_and_acts(
    store: ControlStore, desk: SqlDesk, engine: sa.Engine
) -> None:
    due = DueStore(engine)
    store.put(API_PAUSE)
    desk.admit(delivery(alert(CPU, "a"), alert(CPU, "b"), at=NOW + 1))
    store.end(["p-1"], "bob", NOW + 10)
    (taken,) = due.take(NOW + 10, 10, 60)
    assert [each.labels["instance"] for each in taken.notification.alerts] == ["a", "b"]
    before = desk.rows("SELECT count(*) FROM deliveries")
    decisions = desk.verdicts(taken, now=NOW + 10)
    assert [each.verdict for each in decisions] == ["act", "hold"]
    assert desk.rows("SELECT count(*) FROM deliveries") == before
    assert due.next_due() is None


def test_of_many_workers_one_takes_an_alert_that_is_due(
    store: ControlStore, desk: SqlDesk, engine: sa.Engine
) -> None:
    store.put(API_PAUSE)
    desk.admit(*(delivery(alert(CPU, str(n)), at=NOW + 1) for n in range(20)))
    barrier = threading.Barrier(4)

    def take() -> int:
        barrier.wait()
        found = DueStore(engine).take(NOW + 900, 100, 60)
        return sum(len(each.notification.alerts) for each in found)

    with ThreadPoolExecutor(4) as threads:
        taken = [each.result() for each in [threads.submit(take) for _ in range(4)]]
    assert sum(taken) == 20


@pytest.mark.parametrize("kind", ["fake", "sql"])
def test_what_was_taken_is_due_again_after_a_while(kind: str, engine: sa.Engine) -> None:
    if kind == "fake":
        due: FakeDue | DueStore = FakeDue([(NOW + 900, replace(delivery(alert(CPU)), kept_as="n"))])
    else:
        ControlStore(engine, bell_of(engine)).put(API_PAUSE)
        SqlDesk(engine).admit(delivery(alert(CPU), at=NOW + 1))
        due = DueStore(engine)
    assert due.take(NOW + 899, 10, 60) == []
    assert len(due.take(NOW + 900, 10, 60)) == 1
    assert due.take(NOW + 959, 10, 60) == []
    assert due.next_due() == NOW + 960


def test_a_resolved_alert_is_not_due_any_more(
    store: ControlStore, desk: SqlDesk, engine: sa.Engine
) -> None:
    store.put(API_PAUSE)
    desk.admit(delivery(alert(CPU), at=NOW + 1))
    desk.admit(delivery(resolved(CPU), at=NOW + 2))
    assert DueStore(engine).next_due() is None


def test_a_worker_sees_that_an_alert_is_due_soon_or_a_pause_is_over(
    store: ControlStore, desk: SqlDesk, engine: sa.Engine
) -> None:
    leases = lease_store(engine, 15.0)
    leases.register("me", "host", 1)
    signs = leases.renew("me")
    assert signs is not None
    assert not signs.due
    store.put(replace(API_PAUSE, until=NOW + 5))  # long ago, by the database's clock
    signs = leases.renew("me")
    assert signs is not None
    assert signs.due
    store.end_over(NOW + 10)
    desk.admit(delivery(alert(CPU), at=NOW + 1))
    signs = leases.renew("me")
    assert signs is not None
    assert not signs.due
    desk.execute("UPDATE alerts SET due_at = 5.0")
    signs = leases.renew("me")
    assert signs is not None
    assert signs.due


# ---- The first write ----


def queued(engine: sa.Engine, *requests: Request) -> RunStore:
    with engine.begin() as connection:
        for number, each in enumerate(requests):
            add_run(connection, NewRun(each, "do-app:app-1", NOW + number))
    return RunStore(engine, lambda _connection, _run: None)


def test_a_first_write_is_admitted_once_and_then_for_good(
    store: ControlStore, engine: sa.Engine
) -> None:
    runs = queued(engine, RUN)
    assert runs.enter(RUN, NOW) is None
    store.put(API_PAUSE)
    assert runs.enter(RUN, NOW + 1) is None


def test_a_pause_holds_the_first_write(store: ControlStore, engine: sa.Engine) -> None:
    runs = queued(engine, RUN)
    store.put(API_PAUSE)
    held = runs.enter(RUN, NOW + 1)
    assert held is not None
    assert (held.guard, held.until) == ("paused", NOW + 900)
    assert runs.enter(RUN, NOW + 900) is None


def test_what_was_cancelled_first_sends_nothing(engine: sa.Engine) -> None:
    runs = queued(engine, RUN)
    assert runs.cancel(RUN.id, "anna", "wrong target", NOW, lambda _connection: None)
    held = runs.enter(RUN, NOW + 1)
    assert held is not None
    assert (held.guard, held.saw) == ("cancelled", "anna has cancelled it: wrong target")
    assert runs.cancelled(RUN.id) == "anna has cancelled it: wrong target"


def test_a_run_that_has_ended_cannot_be_cancelled(engine: sa.Engine) -> None:
    runs = queued(engine, RUN)
    runs.conclude(RUN.id, Outcome("succeeded", "2 → 3", NOW + 600), NOW + 5)
    assert not runs.cancel(RUN.id, "anna", "too late", NOW + 6, lambda _connection: None)
    assert runs.cancelled(RUN.id) == ""


@pytest.mark.parametrize("again", [True, False], ids=["by itself", "by its alerts"])
def test_what_a_person_has_cancelled_is_not_tried_again_whatever_held_it(
    engine: sa.Engine, again: bool
) -> None:
    runs = queued(engine, RUN)
    assert runs.cancel(RUN.id, "anna", "wrong target", NOW, lambda _connection: None)
    outcome = Outcome("held", "the vendor is busy", NOW + 60, due_at=None if again else NOW + 60)
    next_one = NewRun(RUN, "do-app:app-1", NOW + 5, 60.0) if again else None
    with pytest.raises(StoreConflict, match="anna has cancelled it: wrong target"):
        runs.conclude(RUN.id, outcome, NOW + 5, again=next_one)
    assert runs.unfinished() == [RUN.id]
    assert runs.conclude(RUN.id, Outcome("cancelled", "wrong target", NOW + 600), NOW + 5)


def test_a_page_that_somebody_has_cancelled_is_told_all_the_same(
    desk: SqlDesk, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(ERRORS)))
    (page,) = desk.queued
    runs = RunStore(engine, lambda _connection, _run: None)
    assert runs.cancel(page.request.id, "anna", "enough", NOW, lambda _connection: None)
    again = replace(page, created_at=NOW + 5)
    told = Outcome("succeeded", "told", NOW + 5)
    assert runs.conclude(page.request.id, told, NOW + 5, again=again)
    assert len(runs.unfinished()) == 1


def limited(number: int, target: object = API, **changes: object) -> Request:
    policy = Policy(limits=(Limit(3, 3_600.0), Limit(2, 600.0, EACH_TARGET, 1_800.0)))
    name = "api" if target is API else "worker-vm"
    action = "horizontal_scale" if target is API else "vertical_scale"
    made = request_for(action, API if target is API else WORKER, id=f"{name}.x.{number}")
    return replace(made, policy=policy, **changes)  # type: ignore[arg-type]


def test_a_limit_holds_the_change_beyond_it_and_pauses_what_it_counts(
    store: ControlStore, engine: sa.Engine
) -> None:
    first, second, third = (limited(n) for n in (1, 2, 3))
    other = limited(4, WORKER)
    runs = queued(engine, first, second, third, other)
    assert runs.enter(first, NOW) is None
    assert runs.enter(second, NOW + 1) is None
    held = runs.enter(third, NOW + 2)
    assert held is not None
    assert (held.guard, held.until) == ("blast_radius", NOW + 2 + 1_800)
    (trip,) = store.in_force()
    assert (trip.kind, trip.by, trip.target, trip.until) == (PAUSE, "runbookd", "api", held.until)
    assert runs.enter(other, NOW + 3) is None, "another target is not paused"


def test_changes_beyond_the_window_are_counted_no_more(engine: sa.Engine) -> None:
    requests = [limited(n) for n in range(3)]
    runs = queued(engine, *requests)
    assert runs.enter(requests[0], NOW) is None
    assert runs.enter(requests[1], NOW + 599) is None
    assert runs.enter(requests[2], NOW + 601) is None


@pytest.mark.parametrize(
    ("kind", "held"), [(PERSON, True), (SCENARIO, False)], ids=["a person", "a scenario"]
)
def test_limits_count_every_origin_and_never_hold_a_scenarios_step(
    engine: sa.Engine, kind: str, held: bool
) -> None:
    requests = [limited(n) for n in range(2)]
    last = limited(9, origin=Origin(kind, "anna", "because"))
    runs = queued(engine, *requests, last)
    for each in requests:
        assert runs.enter(each, NOW) is None
    assert (runs.enter(last, NOW + 1) is not None) is held


def test_an_undo_is_held_by_no_limit_and_counts_as_a_change(engine: sa.Engine) -> None:
    first, second = limited(1), limited(2)
    undo = limited(3, origin=Origin(PERSON, "anna", "undo"), expects=(Wanted("replicas", to=3),))
    runs = queued(engine, first, undo, second)
    one = Policy(limits=(Limit(1, 600.0),))
    two = Policy(limits=(Limit(2, 600.0),))
    assert runs.enter(replace(first, policy=one), NOW) is None
    assert runs.enter(replace(undo, policy=one), NOW + 1) is None
    held = runs.enter(replace(second, policy=two), NOW + 2)
    assert held is not None
    assert held.guard == "blast_radius"


def test_two_runs_at_once_do_not_both_take_the_last_place(engine: sa.Engine) -> None:
    requests = [replace(limited(n), policy=Policy(limits=(Limit(1, 60.0),))) for n in range(6)]
    runs = queued(engine, *requests)
    barrier = threading.Barrier(len(requests))

    def enter(request: Request) -> bool:
        barrier.wait()
        return runs.enter(request, NOW) is None

    with ThreadPoolExecutor(len(requests)) as threads:
        admitted = list(threads.map(enter, requests))
    assert admitted.count(True) == 1


def test_a_run_that_people_hold_frees_its_claim_and_its_alerts_are_due(
    desk: SqlDesk, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(CPU, "a"), at=NOW))
    desk.admit(delivery(alert(CPU, "late"), at=NOW + 1))
    runs = RunStore(engine, lambda _connection, _run: None)
    outcome = Outcome("held", "api is paused", NOW + 2, due_at=NOW + 900)
    runs.conclude("api.out.1", outcome, NOW + 2)
    assert desk.rows("SELECT DISTINCT due_at FROM alerts") == [(NOW + 900,)]
    taken = DueStore(engine).take(NOW + 900, 10, 60)
    decisions = [each for one in taken for each in desk.verdicts(one, now=NOW + 900)]
    assert [each.verdict for each in decisions] == ["act", "hold"]


def test_each_run_that_a_person_asks_for_has_the_next_number(engine: sa.Engine) -> None:
    runs = queued(engine)
    noted: list[str] = []

    def asked() -> str:
        return runs.ask(
            "api.person",
            lambda made: NewRun(replace(RUN, id=made, claim="api.person"), "do-app:app-1", NOW),
            lambda _connection: noted.append("a record"),
        )

    assert [asked(), asked()] == ["api.person.1", "api.person.2"]
    assert noted == ["a record", "a record"]
    assert runs.unfinished() == ["api.person.1", "api.person.2"]


def test_two_requests_of_people_that_are_both_put_off_are_both_tried_again(
    engine: sa.Engine,
) -> None:
    queue: list[str] = []
    runs = RunStore(engine, lambda _connection, run: queue.append(run.request.id))
    busy = Outcome("held", "the vendor is busy", NOW + 60)

    def asked() -> Request:
        by_anna = replace(RUN, origin=Origin(PERSON, "anna", "exams"), claim="api.person")
        made = lambda run: NewRun(replace(by_anna, id=run), "do-app:app-1", NOW)  # noqa: E731 - the id is the store's
        return replace(by_anna, id=runs.ask("api.person", made, lambda _connection: None))

    for each in [asked(), asked()]:
        runs.conclude(each.id, busy, NOW, again=NewRun(each, "do-app:app-1", NOW, 60.0))
    assert queue == [f"api.person.{number}" for number in (1, 2, 3, 4)]
    assert runs.unfinished() == ["api.person.3", "api.person.4"]
