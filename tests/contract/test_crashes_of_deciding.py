"""Runs that decide and die at any boundary of their steps, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.decision_tree import Question
from service.domain.decisions.policy import ACT, APPROVE, SHADOW, Policy
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.messages.investigate import EXPRESSIONS
from service.triggers.people.asked import Scope
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.databases import Databases
from tests.fakes.alerts import CPU, NOW, alert, delivery, rule_book
from tests.properties.installation import Installation, opened

SLOW = "Everything Is Slow"
DECIDING = Rule(
    "overload",
    (Matcher("alertname", MatchOp.EQUAL, SLOW),),
    "decide",
    cooldown=timedelta(minutes=10),
    options=checked_options("decide", {"cpu": {"action": "horizontal_scale", "target": "api"}}),
)


def book(mode: str = ACT) -> RuleBook:
    """One rule that decides, beside one that scales the same target."""
    made = rule_book()
    deciding = replace(DECIDING, policy=Policy(mode))
    targets = {"api": made.targets["api"]}
    return replace(made, rules=(deciding, made.rules[0]), targets=targets)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def runs(now: Installation) -> dict[str, tuple[str, str]]:
    rows = now.rows("SELECT id, status, reason FROM runs")
    return {row[0]: (row[1], row[2]) for row in rows}


@both_ways
@pytest.mark.parametrize("boundary", boundaries("read", "ask", "tell"))
def test_a_run_that_decides_and_dies_anywhere_asks_for_one_run(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, book())
    now.deliver(delivery(alert(SLOW), at=NOW))
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    now.go_on()
    found = runs(now)
    assert sorted(run.rpartition(".")[0] for run in found if run.startswith("api")) == ["api.out"]
    assert {status for status, _ in found.values()} == {"succeeded"}
    assert now.apps.values()["replicas"] == 3
    assert now.apps.writes.effective == ["update_app"]
    (reason,) = [reason for run, (_, reason) in found.items() if run.startswith("overload")]
    assert "CPU > 70 %? yes: 90 %" in reason
    assert "(run api.out.1)" in reason
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_a_claim_that_rests_holds_what_was_decided_and_says_so(engine: sa.Engine) -> None:
    now = Installation(engine, book())
    now.deliver(delivery(alert(CPU), at=NOW))
    now.go_on()
    now.deliver(delivery(alert(SLOW), at=now.clock.time()))
    now.go_on()
    found = runs(now)
    (held,) = [each for run, each in found.items() if run.startswith("overload")]
    assert held[0] == "held"
    assert "horizontal_scale on api is held: cooldown of api.out until" in held[1]
    assert len(found) == 2
    assert now.apps.values()["replicas"] == 3
    said = [f"{each.title} {each.text}" for each in now.messenger.messages.values()]
    assert any("not asked for" in each and "cooldown of api.out" in each for each in said)


def test_without_a_reading_nothing_is_changed(engine: sa.Engine) -> None:
    now = Installation(engine, book())
    del now.metrics.values[EXPRESSIONS[Question.CPU]]
    now.deliver(delivery(alert(SLOW), at=NOW))
    now.go_on()
    assert len(runs(now)) == 1
    assert now.apps.writes.effective == []


def test_a_deciding_run_that_was_cancelled_asks_for_nothing(engine: sa.Engine) -> None:
    now = Installation(engine, book())
    now.deliver(delivery(alert(SLOW), at=NOW))
    first = now.begin()
    first.go_to("recorded:read")
    (run,) = runs(now)
    assert now.runs.cancel(run, "olga", "not now", NOW, lambda connection: None)
    now.go_on()
    assert runs(now)[run][0] == "cancelled"
    assert len(runs(now)) == 1


@pytest.mark.parametrize(("mode", "claim"), [(APPROVE, "api.out"), (SHADOW, "shadow.api.out")])
def test_what_was_decided_changes_nothing_by_itself_in_a_careful_mode(
    engine: sa.Engine, mode: str, claim: str
) -> None:
    now = Installation(engine, book(mode))
    now.deliver(delivery(alert(SLOW), at=NOW))
    now.go_on()
    assert f"{claim}.1" in runs(now)
    assert now.apps.writes.effective == []
    waiting = now.rows("SELECT run FROM approvals WHERE state = 'waiting'")
    assert len(waiting) == (1 if mode == APPROVE else 0)


def test_a_pause_of_the_target_holds_the_run_that_was_asked_for(engine: sa.Engine) -> None:
    now = Installation(engine, book())
    now.put("pause", Scope(target="api"), "1h")
    now.deliver(delivery(alert(SLOW), at=NOW))
    now.go_on()
    status, reason = runs(now)["api.out.1"]
    assert status == "held"
    assert "pause" in reason
    assert now.apps.writes.effective == []
