from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from service.catalogue.registry import kind_spec
from service.catalogue.steps.timings import Timings
from service.catalogue.supabase.plan import compute_costs, plan_project, project_values
from service.catalogue.supabase.replicas import fault_of
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.errors import FailureKind, StepFailed, TargetChanged
from service.domain.replicas import render_config
from service.ports.supabase import Mark, Sight
from tests.fakes.clock import FakeClock
from tests.fakes.database import SYSTEM, FakeDatabase
from tests.fakes.faults import ProcessDied, vendor_error
from tests.fakes.runs import FakeRun, planned, request_for, works_on

COPIED = SupabaseTarget(
    "database",
    "project-1",
    ("ci_micro", "ci_small"),
    replicas={
        "max": 5,
        "regions": ["us-east-1", "eu-west-1"],
        "max_lag_s": 10.0,
        "readers": ["postgres"],
    },
)
FIRST, SECOND = "project-1-rr-us-east-1-1", "project-1-rr-eu-west-1-2"


def seen(count: int = 0, size: str = "ci_small", **changes: Any) -> dict[str, Any]:
    named = [{"identifier": f"r{at}", "region": "us-east-1"} for at in range(1, count + 1)]
    found = {
        "organization": "quizmentor",
        "engine": 15,
        "list": [{**one, "status": "ACTIVE_HEALTHY"} for one in named],
        "sql": True,
        "readers": {one["identifier"]: 0 for one in named},
        **changes,
    }
    return {
        "project": "project-1",
        "variant": size,
        "status": "ACTIVE_HEALTHY",
        "sizes": {},
        "replicas": found,
    }


def plan(count: int, found: dict[str, Any], **options: Any) -> Plan | PlanHeld:
    request = request_for("set_replicas", COPIED, options={"replicas": count, **options})
    return plan_project(request, found)


def held(made: Plan | PlanHeld) -> PlanHeld:
    assert isinstance(made, PlanHeld)
    return made


# ---- The plan ----


def test_missing_replicas_are_planned_in_the_regions_in_turn_with_their_price() -> None:
    made = plan(2, seen())
    assert isinstance(made, Plan)
    assert made.steps == ("setup_1", "setup_2", "await_replicas", "verify_replicas")
    assert made.wanted["regions"] == ["us-east-1", "eu-west-1"]
    assert (made.before, made.after) == ("0", "2")
    assert (made.price_before, made.price_after) == (15.0, 45.0)
    assert kind_spec("supabase").changed(made) == {"replicas": (0, 2)}


def test_a_third_replica_below_xl_is_held_with_the_limit_and_not_from_xl_on() -> None:
    below = held(plan(3, seen(2, "ci_large")))
    assert below.guard == "replica_limit"
    assert "3 replicas are wanted at database, and ci_large takes at most 2" in below.reason
    assert isinstance(plan(3, seen(2, "ci_xlarge")), Plan)


@pytest.mark.parametrize(
    ("found", "guard"),
    [
        (seen(0, "ci_micro"), "replica_size"),
        (seen(0, ""), "replica_size"),
        (seen(engine=14), "postgres_version"),
        (seen(sql=False), "not_provable"),
        ({**seen(), "replicas": {"problem": "no right to it."}}, "replicas_unread"),
        ({**seen(), "status": "RESIZING"}, "project_status"),
    ],
)
def test_what_holds_a_replica(found: dict[str, Any], guard: str) -> None:
    assert held(plan(1, found)).guard == guard


def test_a_replica_that_is_not_well_holds_further_ones_and_is_named() -> None:
    found = seen(1)
    found["replicas"]["list"][0]["status"] = "INIT_READ_REPLICA"
    ill = held(plan(2, found))
    assert (ill.guard, ill.retry_after_s) == ("replica_status", 120.0)
    assert "r1 is INIT_READ_REPLICA" in ill.reason


def test_the_removal_of_the_only_replica_is_held_while_the_application_reads_from_it() -> None:
    used = held(plan(0, seen(1, readers={"r1": 4}), exact=True))
    assert used.guard == "still_read"
    assert "4 connections of its roles are open" in used.reason
    assert isinstance(plan(0, seen(1), exact=True), Plan)


def test_a_removal_is_held_where_nobody_knows_who_reads() -> None:
    unknown = held(plan(0, seen(1, readers={"r1": "no right to it."}), exact=True))
    assert unknown.guard == "readers_unknown"
    assert "no right to it." in unknown.reason


def test_the_newest_replica_goes_first_and_one_that_never_came_up_before_it() -> None:
    made = plan(1, seen(2), exact=True)
    assert isinstance(made, Plan)
    assert made.wanted["victims"] == ["r2"]
    assert made.steps == ("remove_1", "verify_removed")
    found = seen(2)
    found["replicas"]["list"][0]["status"] = "INIT_READ_REPLICA_FAILED"
    failed = plan(1, found, exact=True)
    assert isinstance(failed, Plan)
    assert failed.wanted["victims"] == ["r1"]


def test_an_alert_takes_no_replica_away() -> None:
    assert held(plan(1, seen(2))).guard == "already_there"


def test_an_undo_has_the_former_count_as_its_exact_wish() -> None:
    undo = request_for("set_replicas", COPIED, wanted=(Wanted("replicas", to=1),))
    made = plan_project(undo, seen(2))
    assert isinstance(made, Plan)
    assert (made.before, made.after) == ("2", "1")


def test_replicas_count_in_what_the_project_costs_and_in_what_a_resize_would() -> None:
    assert compute_costs(seen(2)) == 45.0
    assert project_values(seen(2)) == {"size": "ci_small", "replicas": 2}
    found = seen(1, "ci_micro")
    resize = plan_project(request_for("scale_database", COPIED), found)
    assert isinstance(resize, Plan)
    assert (resize.price_before, resize.price_after) == (20.0, 30.0)


# ---- What proves a replica ----

MARK = Mark("0/300", SYSTEM, 90)
WELL = Sight(
    in_recovery=True,
    behind_bytes=0,
    lag_s=0.0,
    system_identifier=SYSTEM,
    max_connections=90,
    refused_with="25006",
)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"behind_bytes": -500}, ""),
        ({"behind_bytes": 112}, "is 112 bytes behind"),
        ({"in_recovery": False}, "takes writes of its own"),
        ({"system_identifier": "1"}, "follows another primary"),
        ({"max_connections": 89}, "max_connections = 89, and the primary has 90"),
        ({"max_connections": 91}, ""),
        ({"refused_with": ""}, "did not refuse a write"),
        ({"refused_with": "42501"}, "42501 instead of 25006"),
    ],
)
def test_a_replica_is_proven_by_all_of_it_and_by_nothing_less(
    changes: dict[str, Any], fault: str
) -> None:
    found = fault_of(replace(WELL, **changes), MARK)
    assert fault in found
    assert bool(found) == bool(fault)


# ---- The steps ----


def prepared(
    count: int = 2, there: int = 0, **options: Any
) -> tuple[FakeClock, FakeDatabase, FakeRun]:
    clock = FakeClock()
    database = FakeDatabase(clock, variant="ci_small")
    for region in COPIED.replicas["regions"][:there]:
        database.add_copy(region, ready=True)
    request = request_for("set_replicas", COPIED, options={"replicas": count, **options})
    works = works_on(clock, database=database)
    return clock, database, planned(works, request, clock)


def test_each_missing_replica_is_set_up_awaited_and_proven() -> None:
    _, database, run = prepared()
    records = run.execute()
    assert list(database.copies) == [FIRST, SECOND]
    assert database.writes.effective == ["setup_replica"] * 2
    assert records["setup_2"] == {"identifier": SECOND, "region": "eu-west-1"}
    assert set(records["verify_replicas"]) == {FIRST, SECOND}
    assert database.asked.heartbeats == 2


def test_a_replica_that_stays_behind_fails_and_is_not_a_success() -> None:
    clock, database, run = prepared(1)
    run.step("setup_1")
    run.step("await_replicas")
    database.copies[FIRST].sight = replace(WELL, behind_bytes=112)
    began = clock.time()
    with pytest.raises(StepFailed, match="is 112 bytes behind for 10 s"):
        run.step("verify_replicas")
    assert 10.0 <= clock.time() - began < 20.0


def test_a_setup_whose_answer_was_lost_is_found_in_the_list_and_not_sent_again() -> None:
    _, database, run = prepared(1)
    database.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert database.writes.effective == ["setup_replica"]


def test_a_setup_that_appears_two_minutes_after_its_answer_was_lost_is_not_doubled() -> None:
    _, database, run = prepared(1)
    database.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    database.writes.late[0] = 100.0
    run.execute()
    assert database.writes.effective == ["setup_replica"]


def test_a_worker_that_dies_between_setup_and_record_sets_up_no_second_replica() -> None:
    _, database, run = prepared(1)
    database.writes.after[0] = ProcessDied()
    with pytest.raises(ProcessDied):
        run.execute()
    run.new_process()
    database.writes.after.clear()
    run.execute()
    assert database.writes.effective == ["setup_replica"]
    assert list(database.copies) == [FIRST]


def test_a_replica_that_somebody_else_has_set_up_meanwhile_is_not_taken_for_ours() -> None:
    _, database, run = prepared(1)
    database.add_copy("us-east-1")
    with pytest.raises(TargetChanged, match=f"Somebody set up replica {FIRST}"):
        run.execute()
    assert database.writes.sent == 0


def test_a_replica_that_does_not_come_up_fails_the_run_and_says_how_to_remove_it() -> None:
    _, database, run = prepared(1)
    database.next_fails = True
    with pytest.raises(StepFailed, match="--to replicas=0"):
        run.execute()


def test_one_replica_too_many_at_the_end_is_told_by_name() -> None:
    _, database, run = prepared(1)
    run.step("setup_1")
    run.step("await_replicas")
    database.add_copy("eu-west-1", ready=True)
    with pytest.raises(StepFailed, match=rf"to have 1 replicas and has 2: {FIRST}, {SECOND}"):
        run.step("verify_replicas")


def test_a_replica_that_is_read_from_since_the_plan_is_not_removed() -> None:
    _, database, run = prepared(0, there=1, exact=True)
    database.copies[FIRST].readers = 1
    with pytest.raises(TargetChanged, match="1 connection of its roles"):
        run.execute()
    assert database.writes.sent == 0


def test_a_removal_takes_the_newest_and_is_seen_in_the_list() -> None:
    _, database, run = prepared(1, there=2, exact=True)
    records = run.execute()
    assert list(database.copies) == [FIRST]
    assert records["verify_removed"] == {"replicas": 1}


def test_a_removal_whose_answer_was_lost_is_not_sent_again() -> None:
    _, database, run = prepared(1, there=2, exact=True)
    database.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert database.writes.effective == ["remove_replica"]


def test_databases_that_cannot_be_asked_hold_a_removal_and_no_other_action() -> None:
    clock = FakeClock()
    database = FakeDatabase(clock, variant="ci_small")
    database.add_copy("us-east-1", ready=True)
    database.asked.mute = vendor_error(FailureKind.PERMANENT, "the role may not.")
    works = works_on(clock, database=database)
    fewer = request_for("set_replicas", COPIED, options={"replicas": 0, "exact": True})
    assert held(works.plan(fewer)).guard == "readers_unknown"
    database.variant = "ci_micro"
    assert isinstance(works.plan(request_for("scale_database", COPIED)), Plan)


def test_after_a_failure_the_replicas_that_are_there_are_told_as_they_are_billed() -> None:
    _, _, run = prepared(1)
    run.step("setup_1")
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert f"has 1 replicas now: {FIRST} (INIT_READ_REPLICA) (before: 0, wanted: 1)" in said


def test_a_lost_setup_is_waited_for_much_longer_than_other_writes() -> None:
    """A second replica would be billed; nobody pays for waiting."""
    timings = Timings()
    assert timings.replica_listing_s >= 5 * timings.settle_unknown_s


# ---- The hand-over ----


@pytest.mark.parametrize(
    ("count", "names"), [(0, []), (1, ["REPLICA_URL"]), (2, ["REPLICA_URL_1", "REPLICA_URL_2"])]
)
def test_the_applications_configuration_refers_to_addresses_and_names_none(
    count: int, names: list[str]
) -> None:
    text = render_config(count)
    found = yaml.safe_load(text)["database"]
    assert found["primary"]["url"] == "${DATABASE_URL}"
    assert [each["url"] for each in found["replicas"]] == [f"${{{name}}}" for name in names]
    assert "://" not in text


# ---- Its bounds ----

BOUNDED = replace(COPIED, replicas={**COPIED.replicas, "max": 1, "limit": 2})


def by_alert(target: SupabaseTarget, count: int, present: int) -> Plan | PlanHeld:
    options = {"replicas": count}
    return plan_project(request_for("set_replicas", target, options=options), seen(present))


def test_an_alert_brings_replicas_to_the_maximum_and_is_at_the_bound_there() -> None:
    first = by_alert(BOUNDED, 2, present=0)
    assert isinstance(first, Plan)
    assert first.after == "1"
    second = held(by_alert(BOUNDED, 2, present=1))
    assert (second.guard, second.at_bound) == ("max_replicas", True)


def test_the_ceiling_of_a_level_bounds_alerts_in_the_place_of_the_maximum() -> None:
    reaching = kind_spec("supabase").reaching
    above = by_alert(reaching(BOUNDED, {"replicas": 5}), 2, present=1)
    assert isinstance(above, Plan)
    assert above.after == "2", "up to the limit of the target"
    below = held(by_alert(reaching(COPIED, {"replicas": 1}), 2, present=1))
    assert below.at_bound
    assert reaching(COPIED, {}) is COPIED


def test_a_level_goes_above_the_maximum_of_alerts_up_to_the_limit() -> None:
    request = request_for("set_replicas", BOUNDED, options={"replicas": 2})
    by_level = replace(request, origin=replace(request.origin, kind="level"))
    made = plan_project(by_level, seen(1))
    assert isinstance(made, Plan)
    assert made.after == "2"
    assert kind_spec("supabase").levels(BOUNDED)["replicas"].most == 2
