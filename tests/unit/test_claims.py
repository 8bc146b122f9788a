"""Claims: what rests after a run, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.domain.decisions.claims import (
    BUSY_UNTIL,
    NOTIFY,
    Cooldown,
    check_cooldown,
    claim_key,
    incident_key,
    run_id,
    telling_claim,
)
from service.domain.durations import clock_time
from service.domain.rules.rules import Rule
from tests.fakes.alerts import CPU, ERRORS, alert, notification, rule_book

SCALE, TRAFFIC, MEMORY, PAGE, SLOW = rule_book().rules[:5]


@pytest.mark.parametrize(("until", "rests"), [(999.0, False), (1000.0, False), (1000.001, True)])
def test_a_claim_is_free_from_its_until_on(until: float, rests: bool) -> None:
    assert Cooldown("api.out", 1, until, "api.out.1").holds(1000.0) is rests


def test_a_claim_is_busy_while_the_end_of_its_run_is_not_known() -> None:
    assert Cooldown("api.out", 1, BUSY_UNTIL, "api.out.1").busy
    assert not Cooldown("api.out", 1, BUSY_UNTIL - 1, "api.out.1").busy


def test_scaling_rules_share_the_claim_of_their_target_and_direction() -> None:
    one = claim_key(SCALE, "out", alert(CPU), notification(alert(CPU)))
    other = claim_key(TRAFFIC, "out", alert(ERRORS, "b"), notification(alert(ERRORS, "b")))
    assert one == other == "api.out"
    assert claim_key(MEMORY, "up", alert(), notification(alert())) == "worker-vm.up"


def _claim(rule: Rule, instance: str = "a", **facts: Any) -> str:
    one = alert(ERRORS, instance)
    return claim_key(rule, NOTIFY, one, notification(one, **facts))


@pytest.mark.parametrize(
    ("facts", "same"),
    [
        ({"instance": "b"}, True),
        ({"external_url": "http://elsewhere.example"}, True),
        ({"group_key": "{}/{}:{}"}, True),
        ({"group": {"alertname": "another"}}, False),
        ({"receiver": "another"}, False),
        ({"source": "grafana"}, False),
    ],
)
def test_a_telling_rules_claim_is_its_group(facts: dict[str, str], same: bool) -> None:
    assert (_claim(PAGE, **facts) == _claim(PAGE)) is same


def test_without_a_group_each_alert_is_told_by_itself() -> None:
    assert _claim(PAGE, group={}) == _claim(PAGE, group={})
    assert _claim(PAGE, "a", group={}) != _claim(PAGE, "b", group={})


def test_rules_do_not_share_what_they_tell() -> None:
    assert _claim(PAGE) != _claim(SLOW)
    assert _claim(PAGE) != _claim(replace(PAGE, name="errors-too"))


def test_a_page_and_its_end_are_claims_of_one_incident() -> None:
    one = alert(ERRORS)
    key = incident_key(PAGE, one, notification(one))
    assert claim_key(PAGE, NOTIFY, one, notification(one)) == telling_claim("errors", key, "notify")
    assert telling_claim("errors", key, "resolve") != telling_claim("errors", key, "notify")


def test_the_longest_names_still_fit_into_their_column() -> None:
    rule = Rule("r" * 64, (), "investigate", cooldown=timedelta(hours=1))
    run = run_id(_claim(rule), 10**9)
    assert len(f"message:{_claim(rule)}") <= 160
    assert len(run) <= 160


def test_a_run_is_named_after_its_claim_and_generation() -> None:
    assert run_id("api.out", 7) == "api.out.7"


@pytest.mark.parametrize(
    ("cooldown", "guard", "passed", "saw"),
    [
        (None, "cooldown", True, "api.out has never been claimed"),
        (
            Cooldown("api.out", 1, 60.0, "api.out.1"),
            "cooldown",
            True,
            "api.out has been free since 1970-01-01 00:01:00Z",
        ),
        (
            Cooldown("api.out", 2, BUSY_UNTIL, "api.out.2"),
            "in_progress",
            False,
            "run api.out.2 is under way on api.out",
        ),
        (
            Cooldown("api.out", 2, 3600.0, "api.out.2"),
            "cooldown",
            False,
            "cooldown of api.out until 1970-01-01 01:00:00Z, after run api.out.2",
        ),
        (
            Cooldown("api.out", 2, 3600.0, "api.out.2", "2 → 3"),
            "cooldown",
            False,
            "cooldown of api.out until 1970-01-01 01:00:00Z, after run api.out.2 (2 → 3)",
        ),
    ],
)
def test_the_check_says_what_it_saw(
    cooldown: Cooldown | None, guard: str, passed: bool, saw: str
) -> None:
    check = check_cooldown("api.out", cooldown, 1000.0)
    assert (check.guard, check.passed, check.saw) == (guard, passed, saw)


def test_moments_are_shown_in_utc() -> None:
    assert clock_time(1_780_000_000.9) == "2026-05-28 20:26:40Z"
