"""What is taken back next, and what says that it is not calm enough for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.domain.capacity.ledger import Addition, Entry, Value
from service.domain.decisions.decision import Check
from service.domain.decisions.returns import (
    Asker,
    Calm,
    Load,
    Return,
    check_calm,
    check_quiet,
    next_step,
    return_from_json,
)
from service.domain.windows import Window

NOW = 1_800_000_000.0
HALF_AN_HOUR = Return(1_800)
BEARABLE = Load("CPU", 70.0, 40.0, 1.5)


def entry(value: Value, *steps: tuple[Value, Value], rule: str = "high-cpu") -> Entry:
    additions = tuple(
        Addition(f"run.{number}", rule, before, after, NOW)
        for number, (before, after) in enumerate(steps)
    )
    return Entry("api", "replicas" if isinstance(value, int) else "size", value, NOW, additions)


def test_the_last_addition_is_taken_back_first_a_step_at_a_time() -> None:
    step = next_step(entry(6, (2, 3), (3, 6)), {"high-cpu": HALF_AN_HOUR})
    assert step is not None
    assert (step.addition.run, step.to) == ("run.1", 5)


def test_a_step_takes_back_no_more_than_was_added() -> None:
    step = next_step(entry(3, (2, 3)), {"high-cpu": Return(1_800, step=5)})
    assert step is not None
    assert step.to == 2


def test_what_a_rule_without_return_added_stays_and_what_another_added_is_taken_back() -> None:
    both = replace(
        entry(4, (2, 3)),
        additions=(
            Addition("run.0", "high-cpu", 2, 3, NOW),
            Addition("run.1", "traffic", 3, 4, NOW),
        ),
    )
    step = next_step(both, {"high-cpu": HALF_AN_HOUR})
    assert step is not None
    assert (step.addition.run, step.to) == ("run.0", 3)


@pytest.mark.parametrize(
    ("held", "rules"),
    [
        (entry(2), {"high-cpu": HALF_AN_HOUR}),
        (entry(3, (2, 3)), {}),
        (entry("large", ("small", "medium")), {"high-cpu": HALF_AN_HOUR}),
    ],
    ids=["nothing was added", "no rule takes it back", "another size since"],
)
def test_nothing_is_taken_back(held: Entry, rules: dict[str, Return]) -> None:
    assert next_step(held, rules) is None


def test_of_a_size_the_one_before_is_taken() -> None:
    steps = entry("large", ("small", "medium"), ("medium", "large"))
    step = next_step(steps, {"high-cpu": HALF_AN_HOUR})
    assert step is not None
    assert step.to == "medium"


def calm(load: Load = BEARABLE, **changes: Any) -> Check:
    """Of an API whose alert has resolved an hour ago, and whose load would be 60 % after the step,
    unless something else is said."""
    facts: dict[str, Any] = {
        "target": "api",
        "since": NOW - 7_200,
        "wait_s": 1_800.0,
        "askers": (Asker("High CPU Usage", fires=False, resolved_at=NOW - 3_600),),
        "pages": (),
        "now": NOW,
    }
    quiet = check_quiet(Calm(**{**facts, **changes}))
    return check_calm(quiet, load) if quiet.passed else quiet


def test_it_is_calm_and_says_since_when_and_what_the_load_would_be() -> None:
    check = calm()
    assert check.passed
    assert "CPU is 40, and would be 60 after the step, below 70" in check.saw


@pytest.mark.parametrize(
    ("changes", "saw"),
    [
        (
            {"askers": (Asker("High CPU Usage", fires=True),)},
            "High CPU Usage still fires",
        ),
        (
            {"askers": (Asker("High CPU Usage", False, NOW - 3_600, "MissingSeries"),)},
            (
                "High CPU Usage ended with the state reason MissingSeries, and not because a "
                "measurement showed that it is over"
            ),
        ),
        ({"pages": ("High Error Rate",)}, "the incident about High Error Rate is open"),
        (
            {"askers": (Asker("High CPU Usage", False, NOW - 600),)},
            (
                "api has been calm since 2027-01-15 07:50:00Z; it takes 30 min, until "
                "2027-01-15 08:20:00Z"
            ),
        ),
        (
            {"since": NOW - 60},
            (
                "api has been calm since 2027-01-15 07:59:00Z; it takes 30 min, until "
                "2027-01-15 08:29:00Z"
            ),
        ),
        (
            {"load": Load("CPU", 70.0, None, unread="PROMETHEUS_URL is not set")},
            "there is no reading of CPU: PROMETHEUS_URL is not set",
        ),
        (
            {"load": Load("CPU", 70.0, 50.0, 1.5)},
            "CPU is 50, and would be 75 after the step; it has to stay below 70",
        ),
        (
            {"load": Load("CPU", 70.0, 35.0, 2.0)},
            "CPU is 35, and would be 70 after the step; it has to stay below 70",
        ),
    ],
    ids=[
        "an alert fires",
        "it ended without a measurement",
        "somebody is paged",
        "not for long enough",
        "just changed",
        "no reading",
        "too busy after the step",
        "exactly at the bound",
    ],
)
def test_it_is_not_calm(changes: dict[str, Any], saw: str) -> None:
    check = calm(**changes)
    assert not check.passed
    assert check.saw == saw


def test_an_alert_without_an_end_that_fires_no_more_does_not_hold_it() -> None:
    """No sender has repeated it for hours, so its resolve may be lost."""
    assert calm(askers=(Asker("High CPU Usage", fires=False),)).passed


def test_what_a_rule_says_of_returns_survives_json() -> None:
    window = Window(days=(5, 6), start=120, end=300)
    said = Return(1_800, 2, "avg(cpu_usage)", 70.0, window)
    assert return_from_json(said.to_json()) == said
    assert return_from_json(None) is None
