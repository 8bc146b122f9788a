"""One contract for the worker's record of runs, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.domain.alerts.episodes import EVIDENCE_S
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.decision import Check, Verdict
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports import MessageRef
from service.ports.admission import NewRun
from service.ports.runs import Outcome
from service.store import schema
from service.store.incidents import IncidentStore
from service.store.queries import Queries
from service.store.runs import RunStore
from tests.contract.admission import SqlDesk
from tests.fakes.alerts import CPU, ERRORS, MEMORY, NOW, alert, delivery, resolved

PLAN = Plan("replicas", "2", "3", ("verify",), {})


@pytest.fixture
def desk(engine: sa.Engine) -> SqlDesk:
    return SqlDesk(engine)


@pytest.fixture
def runs(engine: sa.Engine) -> RunStore:
    return RunStore(engine, lambda _connection, _run: None)


def _queued(runs: RunStore, run_id: str = "api.out.1") -> Request:
    stored = runs.get(run_id)
    assert stored is not None
    assert stored.request.on is not None
    return stored.request


def test_a_run_ends_once_and_its_claim_rests_from_then(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    runs.begin("api.out.1", NOW)
    done = Outcome("succeeded", "2 → 3", NOW + 600)
    assert runs.conclude("api.out.1", done, NOW + 5)
    assert not runs.conclude("api.out.1", Outcome("failed", "late", NOW + 9_000), NOW + 6)
    assert desk.rows("SELECT until, reason FROM cooldowns") == [(NOW + 600, "2 → 3")]
    assert desk.rows("SELECT status, ended_at FROM runs") == [("succeeded", NOW + 5)]


def test_a_run_is_wanted_while_an_alert_of_its_own_fires(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    request = _queued(runs)
    assert runs.still_wanted(request, NOW + 20)
    desk.admit(delivery(resolved(CPU)), now=NOW + 10)
    assert not runs.still_wanted(request, NOW + 20)


def test_a_run_is_wanted_while_an_alert_fires_that_was_held_because_of_it(
    desk: SqlDesk, runs: RunStore
) -> None:
    desk.admit(delivery(alert(CPU, instance="api-1")))
    desk.admit(delivery(alert(CPU, instance="api-2")), now=NOW + 5)
    desk.admit(delivery(resolved(CPU, instance="api-1")), now=NOW + 10)
    request = _queued(runs)
    assert not runs.any_open(request.origin.alerts)
    assert runs.still_wanted(request, NOW + 20)


def test_a_target_settles_after_its_last_change_only(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    request = _queued(runs)
    assert runs.settles_until("api") == 0.0
    runs.begin("api.out.1", NOW)
    runs.set_plan("api.out.1", Plan("replicas", "2", "3", ("verify",), {}))
    runs.conclude("api.out.1", Outcome("succeeded", "2 → 3", NOW + 600), NOW + 5)
    assert runs.settles_until("api") == NOW + 5 + request.settle_s
    assert runs.settles_until("database") == 0.0


def test_a_plan_comes_back_as_it_was_kept(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    plan = Plan("replicas", "2", "3", ("update_app", "verify"), {"after": 3}, 40.0, 60.0)
    runs.set_plan("api.out.1", plan)
    stored = runs.get("api.out.1")
    assert stored is not None
    assert stored.plan == plan


def test_a_page_run_that_begins_frees_its_claim_even_for_a_clock_that_lags(
    desk: SqlDesk, runs: RunStore
) -> None:
    (first,) = desk.verdicts(delivery(alert(ERRORS)))
    assert first.run is not None
    runs.begin(first.run, NOW + 5)
    (second,) = desk.verdicts(delivery(alert(ERRORS, "b")), now=NOW + 4)
    assert second.verdict is Verdict.ACT
    assert second.run != first.run


def test_runs_without_an_outcome_are_listed_oldest_first(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(MEMORY)))
    desk.admit(delivery(alert(CPU)), now=NOW + 5)
    assert runs.unfinished() == ["worker-vm.up.1", "api.out.1"]


def test_a_failed_change_settles_too(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    request = _queued(runs)
    runs.set_plan("api.out.1", PLAN)
    runs.intend("api.out.1", "update_app", NOW)
    runs.conclude("api.out.1", Outcome("failed", "gave up", NOW + 600), NOW + 5)
    assert runs.settles_until("api") == NOW + 5 + request.settle_s


@pytest.mark.parametrize("status", ["failed", "held"])
def test_a_run_that_wrote_nothing_leaves_nothing_to_settle(
    desk: SqlDesk, runs: RunStore, status: str
) -> None:
    desk.admit(delivery(alert(CPU)))
    runs.set_plan("api.out.1", PLAN)
    runs.conclude("api.out.1", Outcome(status, "refused", NOW + 60), NOW + 5)
    assert runs.settles_until("api") == 0.0


def test_an_intention_that_had_no_effect_is_no_write(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    attempt = runs.begin("api.out.1", NOW)
    runs.intend("api.out.1", "update_app", NOW)
    runs.withdraw("api.out.1", "update_app", attempt)
    assert not runs.wrote("api.out.1")
    assert not runs.intend("api.out.1", "update_app", NOW + 60).repeated


def test_an_intention_is_on_record_for_its_own_run_by_its_own_name(
    desk: SqlDesk, runs: RunStore
) -> None:
    desk.admit(delivery(alert(CPU)), delivery(alert(MEMORY)))
    runs.intend("api.out.1", "told_1", NOW)
    assert runs.intended("api.out.1", "told_1")
    assert not runs.intended("api.out.1", "told_2")
    assert not runs.intended("worker-vm.up.1", "told_1")


def test_a_former_execution_cannot_forget_what_the_present_one_may_have_written(
    desk: SqlDesk, runs: RunStore
) -> None:
    desk.admit(delivery(alert(CPU)))
    former = runs.begin("api.out.1", NOW)
    runs.intend("api.out.1", "update_app", NOW)
    runs.begin("api.out.1", NOW + 1)
    runs.withdraw("api.out.1", "update_app", former)
    assert runs.wrote("api.out.1")


def _run(desk: SqlDesk, runs: RunStore, at: float, status: str, *, wrote: bool) -> str:
    """A planned run of api.out that is asked for at `at` and ends 5 s later."""
    (act,) = desk.verdicts(delivery(alert(CPU, str(at))), now=at)
    assert act.run is not None
    runs.set_plan(act.run, PLAN)
    if wrote:
        runs.intend(act.run, "update_app", at)
    runs.conclude(act.run, Outcome(status, "it ended", at + 5), at + 5)
    return act.run


def test_runs_without_a_write_are_counted_back_to_the_last_one_that_changed_something(
    desk: SqlDesk, runs: RunStore
) -> None:
    counts = []
    for number, (status, wrote) in enumerate(
        [
            ("failed", False),
            ("held", False),
            ("failed", True),
            ("failed", False),
            ("succeeded", False),
            ("failed", False),
            ("failed", False),
        ]
    ):
        run = _run(desk, runs, NOW + 100 * number, status, wrote=wrote)
        counts.append(runs.fruitless_before(run, NOW))
    assert counts == [0, 1, 2, 0, 1, 0, 1]


def test_runs_that_ended_long_ago_are_another_story(desk: SqlDesk, runs: RunStore) -> None:
    _run(desk, runs, NOW, "failed", wrote=False)
    _run(desk, runs, NOW + 100, "failed", wrote=False)
    run = _run(desk, runs, NOW + 200, "failed", wrote=False)
    assert runs.fruitless_before(run, NOW + 50) == 1


def test_a_later_success_of_the_same_work_is_found(desk: SqlDesk, runs: RunStore) -> None:
    first = _run(desk, runs, NOW, "failed", wrote=True)
    assert not runs.succeeded_since(first)
    second = _run(desk, runs, NOW + 100, "succeeded", wrote=True)
    third = _run(desk, runs, NOW + 200, "failed", wrote=True)
    assert runs.succeeded_since(first)
    assert runs.succeeded_since(second)
    assert not runs.succeeded_since(third)


def test_a_success_of_another_target_is_not_this_ones(desk: SqlDesk, runs: RunStore) -> None:
    first = _run(desk, runs, NOW, "failed", wrote=True)
    desk.admit(delivery(alert(MEMORY)), now=NOW + 50)
    runs.conclude("worker-vm.up.1", Outcome("succeeded", "done", NOW + 60), NOW + 60)
    assert not runs.succeeded_since(first)


def test_an_alert_that_nobody_has_repeated_for_long_is_no_evidence(
    desk: SqlDesk, runs: RunStore
) -> None:
    desk.admit(delivery(alert(CPU)))
    request = _queued(runs)
    assert runs.still_wanted(request, NOW + EVIDENCE_S - 1)
    assert not runs.still_wanted(request, NOW + EVIDENCE_S)


def test_an_alert_that_comes_while_a_run_is_called_off_is_asked_about_again(
    desk: SqlDesk, runs: RunStore
) -> None:
    desk.admit(delivery(alert(CPU, "a")))
    desk.admit(delivery(resolved(CPU, "a")), now=NOW + 1)
    request = _queued(runs)
    assert not runs.still_wanted(request, NOW + 2)
    (held,) = desk.verdicts(delivery(alert(CPU, "b")), now=NOW + 3)
    assert held.verdict is Verdict.HOLD
    again = NewRun(request, "do-app:app", NOW + 4, 60.0)
    runs.conclude("api.out.1", Outcome("held", "", NOW + 4), NOW + 4, again=again, if_wanted=True)
    assert runs.get("api.out.2") is not None


def test_a_run_that_is_called_off_leaves_its_claim_free(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    desk.admit(delivery(resolved(CPU)), now=NOW + 1)
    again = NewRun(_queued(runs), "do-app:app", NOW + 4, 60.0)
    runs.conclude("api.out.1", Outcome("held", "", NOW + 4), NOW + 4, again=again, if_wanted=True)
    assert runs.get("api.out.2") is None
    (act,) = desk.verdicts(delivery(alert(CPU, "c")), now=NOW + 5)
    assert act.run == "api.out.2"


def test_pages_that_no_worker_has_sent_are_found_while_their_incidents_fire(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    incidents = IncidentStore(engine)
    desk.admit(delivery(alert(CPU)))
    assert incidents.undelivered() == [], "a run that scales tells no pager"
    desk.admit(delivery(alert(ERRORS, "a"), group={"n": "1"}))
    desk.admit(delivery(alert(ERRORS, "b"), group={"n": "2"}))
    assert [each.incident.group_labels for each in incidents.undelivered()] == [
        {"n": "1"},
        {"n": "2"},
    ]
    desk.admit(delivery(resolved(ERRORS, "a"), group={"n": "1"}))
    (left,) = incidents.undelivered()
    assert left.incident.group_labels == {"n": "2"}
    (run,) = desk.rows(
        "SELECT id FROM runs WHERE ask LIKE :key", key=f"%{left.incident.dedup_key}%"
    )
    runs.conclude(run[0], Outcome("succeeded", "paged", NOW), NOW)
    assert incidents.undelivered() == []


def _planned(runs: RunStore, run_id: str) -> None:
    runs.set_plan(run_id, Plan("replicas", "2", "3", ("verify",), {}))


def _next_run(desk: SqlDesk, now: float) -> str:
    """Another run on `api`, earned by another alert."""
    desk.rest("api.out", now)
    (decision,) = desk.verdicts(delivery(alert(CPU, f"at {now}")), now=now)
    assert decision.run is not None
    return decision.run


def test_a_target_settles_after_the_newest_of_its_changes(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    _planned(runs, "api.out.1")
    runs.conclude("api.out.1", Outcome("succeeded", "2 → 3", NOW + 600), NOW + 5)
    newest = _next_run(desk, NOW + 700)
    _planned(runs, newest)
    runs.conclude(newest, Outcome("succeeded", "3 → 4", NOW + 1_400), NOW + 800)
    assert runs.settles_until("api") == NOW + 800 + _queued(runs).settle_s


def test_what_adds_does_not_wait_for_a_removal_to_settle(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(CPU)))
    _planned(runs, "api.out.1")
    runs.conclude("api.out.1", Outcome("succeeded", "2 → 3", NOW + 600), NOW + 5)
    removal = _next_run(desk, NOW + 700)
    with engine.begin() as connection:
        connection.execute(
            sa.update(schema.runs).where(schema.runs.c.id == removal).values(direction="in")
        )
    _planned(runs, removal)
    runs.conclude(removal, Outcome("succeeded", "3 → 2", NOW + 1_400), NOW + 800)
    settle_s = _queued(runs).settle_s
    assert runs.settles_until("api", adds=True) == NOW + 5 + settle_s
    assert runs.settles_until("api", adds=False) == NOW + 800 + settle_s


def test_a_held_run_and_one_under_way_settle_nothing(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    _planned(runs, "api.out.1")
    runs.conclude("api.out.1", Outcome("succeeded", "2 → 3", NOW + 600), NOW + 5)
    held = _next_run(desk, NOW + 700)
    runs.conclude(held, Outcome("held", "busy", NOW + 760), NOW + 701)
    _planned(runs, _next_run(desk, NOW + 800))
    assert runs.settles_until("api") == NOW + 5 + _queued(runs).settle_s


def test_a_page_run_that_ends_late_leaves_the_claim_to_the_run_that_has_it(
    desk: SqlDesk, runs: RunStore
) -> None:
    (first,) = desk.verdicts(delivery(alert(ERRORS)))
    assert first.run is not None
    runs.begin(first.run, NOW + 1)
    (second,) = desk.verdicts(delivery(alert(ERRORS, "b")), now=NOW + 2)

    runs.conclude(first.run, Outcome("succeeded", "paged", NOW + 3), NOW + 3)

    claim = first.run.rpartition(".")[0]
    taken = desk.rows("SELECT run, until FROM cooldowns WHERE key = :key", key=claim)
    assert taken == [(second.run, BUSY_UNTIL)]


def test_a_run_taken_up_again_keeps_when_it_was_begun_first(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    for later in (5.0, 65.0):
        runs.begin("api.out.1", NOW + later)
    assert desk.rows("SELECT status, started_at FROM runs") == [("running", NOW + 5)]


def test_a_step_is_shown_as_it_was_recorded_and_as_it_was_repeated(
    desk: SqlDesk, runs: RunStore
) -> None:
    shown = "SELECT position, name, attempt, status, started_at, ended_at, detail FROM run_steps"
    desk.admit(delivery(alert(CPU)))
    runs.step_began("api.out.1", 1, "prepare", 1, NOW)
    assert desk.rows(shown) == [(1, "prepare", 1, "running", NOW, None, "{}")]
    runs.step_ended("api.out.1", 1, "failed", {"error": "away"}, NOW + 2)
    assert desk.rows(shown) == [
        (1, "prepare", 1, "failed", NOW, NOW + 2, '{"error":"away"}'),
    ]
    runs.step_began("api.out.1", 1, "prepare", 2, NOW + 9)
    assert desk.rows(shown) == [(1, "prepare", 2, "running", NOW + 9, None, "{}")]


def test_what_the_workers_guards_saw_is_kept_for_people(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(CPU)))
    assert Queries(engine).run("api.out.1")["checks"] == []  # type: ignore[index]
    runs.set_checks("api.out.1", [Check("locked", passed=False, saw="locked by another")])
    assert Queries(engine).run("api.out.1")["checks"] == [  # type: ignore[index]
        {"guard": "locked", "passed": False, "saw": "locked by another"}
    ]


def test_a_run_is_read_as_it_is_on_record(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    for _ in range(2):
        runs.begin("api.out.1", NOW)
    runs.set_message("api.out.1", MessageRef("C1", "17.5"))
    stored = runs.get("api.out.1")
    assert stored is not None
    assert (stored.id, stored.claim, stored.partition) == ("api.out.1", "api.out", "do-app:app-1")
    assert (stored.status, stored.attempt) == ("running", 2)
    assert stored.message == MessageRef("C1", "17.5")
