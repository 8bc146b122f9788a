"""Which scenarios are under way, and which cannot start or not do all of it now."""

from __future__ import annotations

from dataclasses import replace

from service.domain.scenarios.able import going_said, unable
from service.domain.scenarios.going import ACTIVE, RUNNING, UNSIGNED, advance
from service.domain.scenarios.scenarios import Early, Scenario, Step, When
from tests.unit.scenarios.test_going import AT, FREE, A, B, child, scenario, with_child

RUSH = Scenario("rush", (A, B))
NIGHT = Scenario("night", (Step("n", "set_capacity", "web"),))


def test_one_that_goes_on_is_told_with_its_step_and_its_end() -> None:
    now = advance(scenario(A, B), AT, FREE).now
    assert going_said(now) == "rush.1 is running, 0 of 2 steps over; under way: a"
    now = replace(with_child(now, "a", child("a", "succeeded")), state=ACTIVE, due_at=AT + 60)
    assert going_said(now).startswith("rush.1 is active, 0 of 2 steps over; under way: a; in force")


def test_one_whose_target_another_changes_cannot_start_and_an_emergency_can() -> None:
    going = [advance(scenario(A, B), AT, FREE).now]
    emergency = replace(NIGHT, name="emergency", emergency=True)
    said = list(unable([NIGHT, emergency], going, {}, measured=True))
    assert said == ["night cannot start now: rush.1 is running and changes web"]
    assert list(unable([NIGHT], [], {}, measured=True)) == []


def test_an_emergency_that_only_waits_for_a_sign_off_keeps_nothing_from_starting() -> None:
    going = advance(scenario(A, B), AT, FREE).now
    emergency = replace(going.scenario, emergency=True)
    waits = replace(going, scenario=emergency, state=UNSIGNED)
    begun = replace(waits, state=RUNNING)
    assert list(unable([NIGHT], [waits], {}, measured=True)) == []
    assert list(unable([NIGHT], [begun], {}, measured=True)) != []


def test_a_target_that_is_off_is_named_with_its_setting() -> None:
    said = list(unable([RUSH], [], {"web": "CACHE_URL", "db": "DB_URL"}, measured=True))
    assert said == ["rush cannot change web: CACHE_URL is not set"]


def test_what_conditions_do_without_prometheus_is_told() -> None:
    when = When("cpu > 80")
    begins = replace(when, unknown_begins=True)
    made = Scenario(
        "rush",
        (replace(A, when=when), replace(B, when=begins)),
        early=Early("rps < 300", 900.0),
    )
    said = list(unable([made], [], {}, measured=False))
    conditions = "step a is left out, step b begins anyway, it does not end before its time"
    assert said == [f"rush has no readings, because PROMETHEUS_URL is not set: {conditions}"]
    assert list(unable([made, RUSH], [], {}, measured=True)) == []
    assert list(unable([RUSH], [], {}, measured=False)) == []
