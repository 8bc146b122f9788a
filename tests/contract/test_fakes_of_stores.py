"""One suite for each port of the store: the fake that unit tests lean on, and the real thing.

The real thing is SQLite, PostgreSQL or Redis. What only SQL can show (races, deadlocks, which
alerts still fire, how long a target settles) is in the suite of its store: the fakes of the engine
are told that instead. The record of droplets that are off has its suite in test_offs.py.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import tests.fakes
from service.domain.alerts.episodes import identity_of
from service.domain.decisions.claims import BUSY_UNTIL, Cooldown
from service.domain.decisions.decision import Check, Decision, Verdict
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports import Clock, MessageRef
from service.ports.admission import Delivery, Gate, IncidentRecord, Journal, NewRun
from service.ports.runs import Incidents, IncidentState, Leases, Locks, Outcome, Runs
from service.store.admissions import add_run
from service.store.clock import StoreClock
from service.store.coordination import connect
from service.store.incidents import IncidentStore
from service.store.runs import RunStore
from tests.contract.admission import SqlDesk
from tests.contract.leases import lease_store
from tests.fakes.alerts import CPU, ERRORS, NOW, SLOW, alert, delivery, resolved
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeIncidents, FakeLeases, FakeLocks, FakeRuns
from tests.fakes.journal import Desk, MemoryGate
from tests.fakes.runs import API, request_for, telling_for
from tests.redis_servers import VERSIONS, RedisServer, executable

UNDER_CONTRACT = {
    "FakeApps": "test_fakes_of_vendors.py",
    "FakeDroplets": "test_fakes_of_vendors.py",
    "FakeDatabase": "test_fakes_of_vendors.py",
    "FakeZones": "test_fakes_of_vendors.py",
    "FakeClusters": "test_fakes_of_vendors.py",
    "FakeNodes": "test_valkey_cluster.py",
    "FakeNginx": "test_nginx_provider.py",
    "FakeCache": "test_redis_cache.py",
    "FakeBuckets": "test_bucket_on_moto.py",
    "FakePager": "test_fakes_of_vendors.py",
    "FlakyPager": "test_fakes_of_vendors.py",
    "FakeMessenger": "test_fakes_of_vendors.py",
    "FakeMetrics": "test_fakes_of_vendors.py",
    "FakeProbe": "test_fakes_of_vendors.py",
    "FakeOffs": "test_offs.py",
    "FakeOutbox": "test_outbox.py",
    "FakeControls": "test_controls.py",
    "FakeDue": "test_controls.py",
    "FakeApprovals": "test_approvals.py",
    "FakeSpend": "test_spend.py",
    "FakeLeftovers": "test_leftovers.py",
    "FakeOutcomes": "test_outcomes.py",
    "FakeDemotions": "test_demotions.py",
    "FakeLedger": "test_ledger.py",
    "FakeLevels": "test_levels.py",
    "FakeReadings": "test_readings.py",
    "FakeWatches": "test_watches.py",
    "FakeBills": "test_costs.py",
    "FakeBudgetNotices": "test_costs.py",
    "FakeWeeks": "test_weeks.py",
    "FakeWatchdogs": "test_watchdogs.py",
    "FakeHeartbeats": "test_watchdogs.py",
    "FakeHeartbeat": "test_watchdogs.py",
    "FakeJobs": "test_jobs.py",
    "FakeAccount": "test_account_on_sandbox.py",
    "FakeNotes": "test_notes.py",
    "FakeRuns": "test_fakes_of_stores.py",
    "FakeIncidents": "test_fakes_of_stores.py",
    "FakeLeases": "test_fakes_of_stores.py",
    "FakeLocks": "test_fakes_of_stores.py",
    "FakeClock": "test_fakes_of_stores.py",
    "MemoryGate": "test_fakes_of_stores.py",
    "MemoryJournal": "test_fakes_of_stores.py",
}
"""Each fake of a port, and the suite that it shares with the real thing."""
NO_PORTS = {
    "FakeNode": "one of FakeNodes",
    "FakeReplica": "one of FakeDatabase's read replicas",
    "FakeSql": "the `sql` of FakeDatabase, which test_fakes_of_vendors.py tries with it",
    "FakeWorker": "the parts of a worker, put together from the fakes",
    "FakeContext": "the engine's context in miniature, for the steps of a kind",
    "FakeRun": "a run in miniature",
    "FakeChange": "an action that exists in tests only",
    "MemoryStore": "what MemoryJournal has committed",
    "MemoryTransaction": "a transaction of MemoryJournal",
    "FreeGate": "a gate that notes what it is told, for tests of web",
}


def test_every_fake_of_a_port_has_a_suite_that_it_shares_with_the_real_thing() -> None:
    modules = [
        importlib.import_module(f"tests.fakes.{found.name}")
        for found in pkgutil.iter_modules(tests.fakes.__path__)
    ]
    fakes = {
        name
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and kind.__module__ == module.__name__
        and name.startswith(("Fake", "Memory", "Flaky", "Free"))
    }
    assert fakes == UNDER_CONTRACT.keys() | NO_PORTS.keys()
    for name, suite in UNDER_CONTRACT.items():
        text = (Path(__file__).parent / suite).read_text(encoding="utf-8")
        assert f" {name}" in text.replace(f'"{name}"', ""), f"{suite} does not use {name}"


# ---- Runs ----

RUN = request_for("horizontal_scale", API)
LATER = request_for("horizontal_scale", API, id="api.out.2")
THIRD = request_for("horizontal_scale", API, id="api.out.3")
OTHER = request_for("vertical_scale", API)
PLAN = Plan("replicas", "2", "3", ("update_app", "verify"), {"after": {"instance_count": 3}})
FAILED = Outcome("failed", "refused", NOW + 60)
DONE = Outcome("succeeded", "2 → 3", NOW + 600)


@pytest.fixture(params=["fake", "sql"])
def kept(
    request: pytest.FixtureRequest, engine: sa.Engine
) -> tuple[Runs, Callable[[Request], None]]:
    """The record, with nothing in it, and what queues a run."""
    if request.param == "fake":
        fake = FakeRuns()
        return fake, lambda each: fake.add(each, "do-app:app-1")
    numbers = itertools.count()

    def add(each: Request) -> None:
        with engine.begin() as connection:
            add_run(connection, NewRun(each, "do-app:app-1", NOW + next(numbers)))

    return RunStore(engine, lambda _connection, _run: None), add


@pytest.fixture
def queue(kept: tuple[Runs, Callable[[Request], None]]) -> Callable[[Request], None]:
    """Queues a run, after those that are queued."""
    return kept[1]


@pytest.fixture
def runs(kept: tuple[Runs, Callable[[Request], None]]) -> Runs:
    """The record, with three runs on one claim and one on another, oldest first."""
    record, add = kept
    for each in (RUN, LATER, THIRD, OTHER):
        add(each)
    return record


def test_each_execution_raises_the_fencing_token(runs: Runs) -> None:
    assert [runs.begin(RUN.id, NOW + n) for n in range(3)] == [1, 2, 3]
    assert runs.attempt(RUN.id) == 3
    assert runs.attempt(LATER.id) == 0


def test_an_intention_is_recorded_once_and_only_the_owner_withdraws_it(runs: Runs) -> None:
    attempt = runs.begin(RUN.id, NOW)
    assert not runs.wrote(RUN.id)
    first, again = (runs.intend(RUN.id, "update_app", NOW + n) for n in (1, 60))
    assert (first.repeated, again.repeated, again.recorded_at) == (False, True, NOW + 1)
    assert runs.wrote(RUN.id)
    runs.withdraw(RUN.id, "update_app", attempt - 1)
    assert runs.wrote(RUN.id)
    runs.withdraw(RUN.id, "update_app", attempt)
    assert not runs.wrote(RUN.id)


def test_a_run_is_read_as_it_was_kept(runs: Runs) -> None:
    ref = MessageRef("C1", "1.5")
    runs.begin(RUN.id, NOW)
    runs.set_plan(RUN.id, PLAN)
    runs.set_message(RUN.id, ref)
    runs.set_checks(RUN.id, [Check("locked", passed=True, saw="nobody")])
    stored = runs.get(RUN.id)
    assert stored is not None
    assert (stored.id, stored.claim, stored.partition) == ("api.out.1", "api.out", "do-app:app-1")
    assert (stored.status, stored.attempt, stored.ended) == ("running", 1, False)
    assert (stored.request, stored.plan, stored.message) == (RUN, PLAN, ref)
    assert runs.get("api.out.99") is None


def test_a_run_ends_once(runs: Runs) -> None:
    assert runs.unfinished() == [RUN.id, LATER.id, THIRD.id, OTHER.id]
    assert runs.conclude(RUN.id, DONE, NOW + 5)
    assert not runs.conclude(RUN.id, FAILED, NOW + 6)
    stored = runs.get(RUN.id)
    assert stored is not None
    assert (stored.status, stored.ended) == ("succeeded", True)
    assert runs.unfinished() == [LATER.id, THIRD.id, OTHER.id]


def test_a_run_that_has_ended_does_not_run_again_when_it_is_begun(runs: Runs) -> None:
    runs.conclude(RUN.id, DONE, NOW + 5)
    assert runs.begin(RUN.id, NOW + 6) == 1
    stored = runs.get(RUN.id)
    assert stored is not None
    assert (stored.status, stored.ended) == ("succeeded", True)


def test_what_the_newest_ended_run_of_a_target_said_is_known(runs: Runs) -> None:
    """Whichever claim it was on, and whichever ended last."""
    runs.conclude(OTHER.id, FAILED, NOW + 4)
    runs.conclude(RUN.id, DONE, NOW + 5)
    assert runs.last_by_target() == [("api", "failed", "refused")]


def test_an_alert_that_nobody_sent_is_not_read(runs: Runs) -> None:
    assert runs.alerts(["al_none"]) == []


def test_fruitless_runs_are_counted_back_to_one_that_wrote_or_succeeded(runs: Runs) -> None:
    for number, each in enumerate((RUN, LATER)):
        runs.set_plan(each.id, PLAN)
        runs.conclude(each.id, FAILED, NOW + 10 + number)
    assert runs.fruitless_before(THIRD.id, NOW) == 2
    assert runs.fruitless_before(THIRD.id, NOW + 10) == 1
    assert runs.fruitless_before(OTHER.id, NOW) == 0


@pytest.mark.parametrize("how", ["it wrote", "it succeeded", "it had no plan"])
def test_a_run_that_did_something_ends_the_count(runs: Runs, how: str) -> None:
    for number, each in enumerate((RUN, LATER)):
        if how != "it had no plan" or each is RUN:
            runs.set_plan(each.id, PLAN)
        if how == "it wrote" and each is LATER:
            runs.intend(each.id, "update_app", NOW)
        succeeded = how == "it succeeded" and each is LATER
        runs.conclude(each.id, DONE if succeeded else FAILED, NOW + 10 + number)
    assert runs.fruitless_before(THIRD.id, NOW) == (1 if how == "it had no plan" else 0)


def test_the_runs_that_failed_since_the_last_success_are_known_newest_first(runs: Runs) -> None:
    for each in (RUN, LATER):
        runs.conclude(each.id, FAILED, NOW + 5)
    assert runs.failures_before(THIRD.id) == [LATER.id, RUN.id]
    assert runs.failures_before(LATER.id) == [RUN.id]
    assert runs.failures_before(OTHER.id) == []


def test_a_success_ends_the_runs_that_failed(runs: Runs) -> None:
    runs.conclude(RUN.id, FAILED, NOW + 5)
    runs.conclude(LATER.id, DONE, NOW + 6)
    assert runs.failures_before(THIRD.id) == []


def test_a_success_counts_for_the_runs_before_it_and_not_for_those_after(runs: Runs) -> None:
    assert not runs.succeeded_since(RUN.id)
    runs.conclude(LATER.id, DONE, NOW + 5)
    assert runs.succeeded_since(RUN.id)
    assert runs.succeeded_since(LATER.id)
    assert not runs.succeeded_since(THIRD.id)
    assert not runs.succeeded_since(OTHER.id)


def test_runs_that_change_no_target_neither_fail_nor_succeed_for_each_other(
    runs: Runs, queue: Callable[[Request], None]
) -> None:
    """Nor are they the last run of a target."""
    pages = [telling_for("page_oncall", f"errors.group.{n}") for n in (1, 2, 3)]
    for number, each in enumerate(pages):
        queue(each)
        runs.set_plan(each.id, PLAN)
        runs.conclude(each.id, DONE if number == 2 else FAILED, NOW + 10 + number)
    assert runs.fruitless_before(pages[1].id, NOW) == 0
    assert not runs.succeeded_since(pages[0].id)
    assert runs.last_by_target() == []


# ---- Incidents ----


@pytest.fixture(params=["fake", "sql"])
def incidents(request: pytest.FixtureRequest, engine: sa.Engine) -> tuple[Incidents, str]:
    """The incidents, with one that fires, and its key."""
    one = alert(ERRORS, "a")
    if request.param == "sql":
        desk = SqlDesk(engine)
        desk.admit(delivery(one))
        ((key,),) = desk.rows("SELECT dedup_key FROM incidents")
        return IncidentStore(engine), key
    record = IncidentRecord("runbookd/1", "errors", None, "alertmanager", "runbookd", {})
    state = IncidentState(record, 1, (one,), None, None, ("a-1",))
    return FakeIncidents({"runbookd/1": state}), "runbookd/1"


@pytest.fixture
def episode(incidents: tuple[Incidents, str], engine: sa.Engine) -> str:
    """The id of the alert that fires."""
    if isinstance(incidents[0], FakeIncidents):
        return "alert-1"
    with engine.connect() as connection:
        return str(connection.execute(sa.text("SELECT id FROM alerts")).scalar_one())


def test_an_incident_remembers_that_it_was_paged_and_where_it_was_told(
    incidents: tuple[Incidents, str],
) -> None:
    kept, key = incidents
    ref = MessageRef("C1", "1.5")
    kept.mark(key, paged=True, message=ref)
    state = kept.state(key)
    assert state is not None
    assert (state.incident.paged, state.message, state.firing) == (True, ref, 1)
    assert len(state.episodes) == len(state.alerts) == 1
    kept.mark(key, paged=False)
    state = kept.state(key)
    assert state is not None
    assert (state.incident.paged, state.message) == (False, ref)


def test_an_incident_that_the_pager_has_open_is_kept_with_the_alerts_that_asked(
    incidents: tuple[Incidents, str], episode: str
) -> None:
    kept, _ = incidents
    for _ in range(2):
        kept.enlist("runbookd/bound/api.out", "high-cpu", "warning", [episode, "al_none"])
    state = kept.state("runbookd/bound/api.out")
    assert state is not None
    incident = state.incident
    assert (incident.rule, incident.severity, incident.source, incident.paged) == (
        "high-cpu",
        "warning",
        "alertmanager",
        True,
    )
    assert (state.firing, len(state.alerts)) == (1, 1)


def test_marking_an_incident_that_nobody_made_does_nothing(
    incidents: tuple[Incidents, str],
) -> None:
    incidents[0].mark("runbookd/none", paged=False)
    assert incidents[0].state("runbookd/none") is None


def test_an_incident_that_nobody_made_is_none(incidents: tuple[Incidents, str]) -> None:
    assert incidents[0].state("runbookd/none") is None


# ---- Leases ----


@pytest.fixture(params=["fake", "sql"])
def leases(request: pytest.FixtureRequest, engine: sa.Engine) -> tuple[Leases, Callable[[], None]]:
    """Leases, and what makes that of the worker `silent` end."""
    if request.param == "fake":
        fake = FakeLeases()
        return fake, lambda: fake.silent.add("silent")

    def end() -> None:
        with engine.begin() as connection:
            past = "UPDATE workers SET lease_until = 1 WHERE executor = 'silent'"
            connection.execute(sa.text(past))

    return lease_store(engine, 60.0), end


def test_a_worker_shows_life_until_it_is_retired(
    leases: tuple[Leases, Callable[[], None]],
) -> None:
    kept, _ = leases
    kept.register("one", "host", 1)
    assert kept.renew("one") is not None
    kept.retire("one")
    assert kept.renew("one") is None
    assert kept.renew("never registered") is None
    assert kept.unretired() == []


def test_a_worker_whose_lease_is_over_is_retired_by_another_and_once(
    leases: tuple[Leases, Callable[[], None]],
) -> None:
    kept, end = leases
    kept.register("silent", "host", 1)
    kept.register("alive", "host", 2)
    assert kept.retire_dead(besides="alive") == []
    end()
    assert kept.retire_dead(besides="silent") == []
    assert kept.retire_dead(besides="alive") == ["silent"]
    assert kept.retire_dead(besides="alive") == []
    assert kept.unretired() == ["alive"]
    assert kept.renew("silent") is None


# ---- Redis: the gate and the locks ----


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    home = Path(tempfile.mkdtemp())
    running = RedisServer(executable(VERSIONS[0]), home)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["fake", "redis"])
def locks(request: pytest.FixtureRequest, redis_server: RedisServer) -> Locks:
    if request.param == "fake":
        return FakeLocks()
    redis_server.client.flushall()
    return connect(redis_server.url, 5.0, lambda: "0a1b2c3d")


def test_a_lock_keeps_others_out_until_its_owner_gives_it_back(locks: Locks) -> None:
    assert locks.lock("do-app:1", "api.out.1") is None
    assert locks.lock("do-app:1", "api.out.1") is None
    assert "api.out.1" in (locks.lock("do-app:1", "api.up.1") or "")
    assert locks.lock("do-app:2", "api.up.1") is None
    locks.unlock("do-app:1", "api.up.1")
    assert locks.lock("do-app:1", "api.up.1") is not None
    locks.unlock("do-app:1", "api.out.1")
    assert locks.lock("do-app:1", "api.up.1") is None


@pytest.fixture(params=["fake", "redis"])
def resting(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> tuple[Locks, Callable[[], str]]:
    """The locks, with the claim api.out taken by its second run, and what tells whose it is."""
    if request.param == "fake":
        fake = FakeLocks(after={"api.out": "api.out.2"})
        return fake, lambda: fake.after["api.out"] if "api.out" in fake.cooldowns else ""
    redis_server.client.flushall()
    real = connect(redis_server.url, 5.0, lambda: "0a1b2c3d")
    real.settle([Cooldown("api.out", 2, BUSY_UNTIL, "api.out.2")], "t1", NOW)
    return real, lambda: real.ask(["api.out"], "t2").cooling.get("api.out", "")


def test_a_former_run_does_not_shorten_the_cooldown_of_a_later_one(
    resting: tuple[Locks, Callable[[], str]],
) -> None:
    locks, owner = resting
    locks.cool_down("api.out", "api.out.2", NOW + 600, NOW)
    locks.cool_down("api.out", "api.out.1", NOW, NOW)
    assert owner() == "api.out.2"


def test_a_claim_whose_cooldown_is_over_is_free_at_once(
    resting: tuple[Locks, Callable[[], str]],
) -> None:
    locks, owner = resting
    locks.cool_down("api.out", "api.out.2", NOW + 600, NOW)
    locks.cool_down("api.out", "api.out.2", NOW, NOW)
    assert owner() == ""


def test_a_run_that_started_another_on_its_claim_leaves_no_cooldown(
    resting: tuple[Locks, Callable[[], str]],
) -> None:
    locks, owner = resting
    locks.cool_down("api.out", "api.out.2", NOW, NOW)
    locks.cool_down("api.out", "api.out.2", BUSY_UNTIL, NOW)
    assert owner() == ""


def test_only_the_run_that_has_a_claim_sets_its_cooldown(
    resting: tuple[Locks, Callable[[], str]],
) -> None:
    locks, owner = resting
    locks.cool_down("api.out", "api.out.2", NOW + 600, NOW)
    locks.cool_down("api.out", "api.out.3", NOW + 900, NOW)
    assert owner() == "api.out.2"


@pytest.fixture(params=["fake", "redis"])
def gate(request: pytest.FixtureRequest, redis_server: RedisServer) -> Gate:
    if request.param == "fake":
        return MemoryGate()
    redis_server.client.flushall()
    return connect(redis_server.url, 5.0, lambda: "0a1b2c3d")


def test_a_claim_rests_at_the_gate_once_sql_has_decided_so(gate: Gate) -> None:
    assert gate.ask(["api.out", "vm.up"], "t1").cooling == {}
    assert gate.ask(["api.out"], "t2").cooling == {}
    decided = Cooldown("api.out", 1, BUSY_UNTIL, "api.out.1")
    gate.settle([decided], "t1", NOW)
    reply = gate.ask(["api.out", "vm.up"], "t3")
    assert (reply.available, reply.asked, dict(reply.cooling)) == (
        True,
        True,
        {"api.out": "api.out.1"},
    )


def test_only_its_own_holds_are_given_back(gate: Gate) -> None:
    gate.ask(["api.out"], "t1")
    gate.give_back(["api.out"], "t2")
    gate.settle([Cooldown("api.out", 1, BUSY_UNTIL, "api.out.1")], "t1", NOW)
    gate.give_back(["api.out"], "t1")
    assert dict(gate.ask(["api.out"], "t3").cooling) == {"api.out": "api.out.1"}


def test_what_sql_left_free_is_held_no_longer(gate: Gate, redis_server: RedisServer) -> None:
    def held() -> bool:
        if isinstance(gate, MemoryGate):
            return "api.out" in gate.values
        return bool(redis_server.client.keys("cooldown:*:api.out"))

    free = Cooldown("api.out", 1, NOW, "api.out.1")
    gate.ask(["api.out"], "t1")
    gate.settle([free], "t2", NOW)
    assert held()
    gate.settle([free], "t1", NOW)
    assert not held()


# ---- Admission's journal ----


def _story(admit: Callable[[Delivery], list[Decision]]) -> list[tuple[Verdict, str, str | None]]:
    """What was decided on one notification after the other."""
    told = [
        delivery(alert(CPU, "a"), alert(CPU, "b")),
        delivery(alert(CPU, "a"), at=NOW + 30),
        delivery(alert(ERRORS, "a"), alert(ERRORS, "b"), at=NOW + 40),
        delivery(alert(ERRORS, "c"), at=NOW + 50),
        delivery(alert(SLOW, "a"), at=NOW + 60),
        delivery(resolved(CPU, "a"), resolved(ERRORS, "a"), at=NOW + 70),
        delivery(resolved(ERRORS, "b"), resolved(ERRORS, "c"), at=NOW + 80),
        delivery(alert(CPU, "a"), at=NOW + 90),
    ]
    decisions = [each for notification in told for each in admit(notification)]
    return [(each.verdict, each.guard, each.run) for each in decisions]


def test_a_story_of_alerts_is_decided_alike_in_memory_and_in_sql(engine: sa.Engine) -> None:
    """MemoryJournal has everything that admission asks of the real one."""
    in_memory, in_sql = Desk(), SqlDesk(engine)
    story = _story(in_memory.verdicts)
    assert story == _story(in_sql.verdicts)
    assert {verdict for verdict, _, _ in story} == {Verdict.ACT, Verdict.HOLD}
    assert sorted(in_memory.store.runs) == sorted(run.request.id for run in in_sql.queued)
    assert sorted(in_memory.store.cooldowns) == sorted(
        key for (key,) in in_sql.rows("SELECT key FROM cooldowns")
    )


@pytest.mark.parametrize("desk", [Desk, SqlDesk], ids=["memory", "sql"])
def test_of_an_incident_those_members_are_read_that_were_asked_for(
    desk: Callable[..., Desk | SqlDesk], engine: sa.Engine
) -> None:
    one, two = alert(ERRORS, "a"), alert(ERRORS, "b")
    stand = desk() if desk is Desk else desk(engine)
    stand.admit(delivery(one, two))
    stand.admit(delivery(resolved(ERRORS, "a"), at=NOW + 30))
    journal: Journal = stand.journal
    with journal.transaction() as transaction:
        (key,) = transaction.incidents_of([identity_of(one)])[identity_of(one)]
        found = transaction.incidents([key, "runbookd/none"], [identity_of(one)])
        assert {each: incident.members for each, incident in found.items()} == {
            key: {identity_of(one)}
        }
        assert dict(transaction.open_members([key, "runbookd/none"])) == {key: 1}
    stand.admit(delivery(resolved(ERRORS, "b"), at=NOW + 60))
    with journal.transaction() as transaction:
        assert transaction.open_members([key]) == {}


# ---- The clock ----


@pytest.mark.parametrize("clock", [FakeClock(), StoreClock()], ids=["fake", "real"])
def test_a_wait_lasts_at_least_as_long_as_it_was_asked_for_on_both_clocks(clock: Clock) -> None:
    began, instant = clock.monotonic(), clock.time()
    clock.sleep(0.02)
    assert clock.monotonic() - began >= 0.019
    assert clock.time() - instant >= 0.019
    assert abs(StoreClock().time() - time.time()) < 60.0
