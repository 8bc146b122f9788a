"""Scenarios whose steps and end depend on readings and on the alert, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.readings.metrics import METRICS
from service.domain.scenarios.scenarios import Early, When
from tests.contract.test_scenarios import OUT, STRATEGY, Stand, told
from tests.contract.test_scenarios_by_rules import STARTED, Started
from tests.databases import Databases
from tests.properties.installation import OLGA, opened

pytestmark = pytest.mark.spread
on_both = pytest.mark.spread(None)

P95, RPS = METRICS["p95"].expression, METRICS["rps"].expression
SLOW = replace(STRATEGY, after=("out",), when=When("p95 > 500"))
CALM = replace(STARTED, steps=(OUT,), lasts_s=86_400.0, early=Early("rps < 300", 900.0))


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def state(stand: Stand) -> str:
    ((found,),) = stand.now.rows("SELECT state FROM scenario_runs")
    return str(found)


@on_both
def test_a_step_begins_by_what_prometheus_says_at_its_turn(engine: sa.Engine) -> None:
    stand = Started(engine, replace(STARTED, steps=(OUT, SLOW)))
    stand.now.metrics.values[P95] = 640.0
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    assert stand.steps(run) == {"out": "done", "cache": "done"}


@on_both
def test_a_step_that_is_not_needed_changes_nothing_and_the_report_names_it(
    engine: sa.Engine,
) -> None:
    stand = Started(engine, replace(STARTED, steps=(OUT, SLOW)))
    stand.now.metrics.values[P95] = 320.0
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    assert stand.steps(run) == {"out": "done", "cache": "not needed"}
    (said,) = told(stand)
    assert "(only when p95 > 500, and p95 is 320)" in said
    assert "Done: out; not needed: cache." in said


def test_a_step_whose_reading_prometheus_does_not_have_is_left_out_and_named(
    engine: sa.Engine,
) -> None:
    stand = Started(engine, replace(STARTED, steps=(OUT, SLOW)))
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    assert stand.steps(run) == {"out": "done", "cache": "left out"}
    (said,) = told(stand)
    assert "and p95 is not known (Prometheus has no data for histogram_quantile" in said


def test_a_plan_shows_what_a_reading_would_decide(engine: sa.Engine) -> None:
    stand = Started(engine, replace(STARTED, steps=(OUT, SLOW)))
    stand.now.metrics.values[P95] = 320.0
    run = stand.people.start(OLGA, "rush", "what if", plan_only=True).run
    assert stand.now.go_through(run) == "planned"
    found = stand.people.one(run)["steps"][1]
    assert (found["when"], found["reason"]) == (
        "p95 > 500",
        "only when p95 > 500. p95 is 320: now it would not begin",
    )


@on_both
def test_it_is_taken_back_once_it_was_calm_for_so_long(engine: sa.Engine) -> None:
    stand = Started(engine, CALM)
    stand.now.metrics.values[RPS] = 900.0
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    stand.looks()
    stand.now.metrics.values[RPS] = 200.0
    for _ in range(15):
        stand.looks()
    assert (state(stand), stand.now.apps.values()["replicas"]) == ("active", 8)
    stand.looks()
    assert stand.now.go_through(run) == "undone"
    assert stand.now.apps.values()["replicas"] == 2
    (said,) = told(stand)
    assert "put back: out (runbookd: rps < 300 has held for 15 min)" in said.lower()


def test_a_worker_that_was_away_does_not_count_the_time_that_nobody_has_seen(
    engine: sa.Engine,
) -> None:
    stand = Started(engine, CALM)
    stand.now.metrics.values[RPS] = 200.0
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    stand.looks()
    stand.now.clock.now += 7_200
    stand.looks()
    assert state(stand) == "active"


@on_both
def test_it_is_taken_back_once_its_alert_has_been_resolved_for_so_long(engine: sa.Engine) -> None:
    stand = Started(engine, replace(CALM, early=Early("", 120.0)))
    stand.fires()
    assert stand.now.go_through("rush.1") == "active"
    for _ in range(3):
        stand.looks()
    assert state(stand) == "active"
    stand.resolves()
    for _ in range(3):
        stand.looks()
    assert stand.now.go_through("rush.1") == "undone"
    assert stand.now.apps.values()["replicas"] == 2


def test_one_that_a_person_has_started_does_not_end_by_an_alert_that_it_does_not_have(
    engine: sa.Engine,
) -> None:
    stand = Started(engine, replace(CALM, early=Early("", 120.0)))
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    for _ in range(5):
        stand.looks()
    assert state(stand) == "active"
