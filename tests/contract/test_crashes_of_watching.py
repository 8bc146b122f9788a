"""Runs that watch and die at any boundary, and what a person asks for, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.registry import checked_options
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.decision_tree import Question
from service.domain.decisions.requests import PERSON
from service.domain.readings.metrics import METRICS
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.engine.watching import HOLD_S, WatchRound
from service.messages.investigate import EXPRESSIONS
from service.ports import Message
from service.store.runs import RunStore
from service.store.watches import WatchStore
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries, statuses
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery, rule_book
from tests.fakes.telling import FakeMessenger
from tests.properties.installation import OLGA, Installation, opened

GROWTH = "Viral Growth"
OPTIONS = checked_options("watch", {"for": "20m", "target": "api", "readings": ["cpu > 80"]})
CPU = METRICS["cpu"].expression


def book() -> RuleBook:
    """One rule that watches."""
    rule = Rule(
        "growth",
        (Matcher("alertname", MatchOp.EQUAL, GROWTH),),
        "watch",
        cooldown=timedelta(minutes=10),
        options=OPTIONS,
    )
    made = rule_book()
    return replace(made, rules=(rule,), targets={"api": made.targets["api"]})


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def look(now: Installation, after: float = 0.0) -> None:
    """A worker's round, that much later."""
    now.clock.now += after
    WatchRound(now.parts)(True)


def message(now: Installation) -> Message:
    (found,) = now.messenger.messages.values()
    return found


@both_ways
@pytest.mark.spread("done:begin", "recorded:begin")
@pytest.mark.parametrize("boundary", boundaries("begin"))
def test_a_run_that_dies_while_it_begins_to_watch_watches_once_and_to_the_end(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, book())
    now.deliver(delivery(alert(GROWTH), at=NOW))
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    look(now)
    assert list(statuses(now).values()) == ["running"]
    assert now.runs.unfinished() == []
    for _ in range(4):
        look(now, 300.0)
    assert list(statuses(now).values()) == ["succeeded"]
    assert "5 looks; beyond its limit: cpu in 5" in message(now).text
    assert "api has replicas 2" in message(now).text
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []
    assert now.apps.writes.effective == []


def test_while_it_watches_the_same_alerts_begin_no_second_watch(engine: sa.Engine) -> None:
    now = Installation(engine, book())
    now.deliver(delivery(alert(GROWTH), at=NOW))
    now.go_on()
    look(now)
    now.deliver(delivery(alert(GROWTH), at=NOW + 60.0))
    now.go_on()
    assert list(statuses(now).values()) == ["running"]
    rows = now.rows("SELECT reason FROM decisions WHERE verdict = 'hold'")
    assert any("is under way" in row[0] for row in rows)


class Died(BaseException):
    """The process ends here."""


def dies(monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, *, done: bool) -> None:
    """The next call of a method is the last thing that a worker does: before it, or after it."""
    original: Callable[..., Any] = getattr(kind, name)

    def died(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(kind, name, original)
        if done:
            original(*arguments, **named)
        raise Died(name)

    monkeypatch.setattr(kind, name, died)


WRITES = [
    (WatchStore, "take"),
    (WatchStore, "save"),
    (FakeMessenger, "update"),
    (WatchStore, "told"),
]
ENDS = [
    (WatchStore, "save"),
    (FakeMessenger, "update"),
    (RunStore, "conclude"),
    (WatchStore, "end"),
]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(("kind", "name"), WRITES)
def test_a_look_whose_worker_dies_at_any_write_is_counted_and_told_once(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, done: bool
) -> None:
    now = Installation(engine, book())
    now.metrics.values[CPU] = 60.0
    now.deliver(delivery(alert(GROWTH), at=NOW))
    now.go_on()
    look(now)
    now.metrics.values[CPU] = 85.0
    dies(monkeypatch, kind, name, done=done)
    with pytest.raises(Died):
        look(now, 300.0)
    look(now, HOLD_S)
    assert "Look 2, at" in message(now).text
    assert "beyond its limit in 1 of 2 looks" in message(now).fields[0][1]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(("kind", "name"), ENDS)
def test_an_end_whose_worker_dies_at_any_write_is_reached_once(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, done: bool
) -> None:
    now = Installation(engine, book())
    now.deliver(delivery(alert(GROWTH), at=NOW))
    now.go_on()
    look(now)
    dies(monkeypatch, kind, name, done=done)
    with pytest.raises(Died):
        look(now, 1_200.0)
    look(now, HOLD_S)
    assert list(statuses(now).values()) == ["succeeded"]
    assert "2 looks" in message(now).text
    assert now.rows("SELECT run FROM watches WHERE ended_at IS NULL") == []
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_a_person_watches_a_target_and_ends_it_before_its_time(engine: sa.Engine) -> None:
    now = Installation(engine, book())
    asked = now.people.run(
        OLGA, "watch", "api", options={"for": "2h", "readings": ["cpu"]}, why="after the change"
    )
    now.go_on()
    look(now)
    assert message(now).title == "Watching api"
    now.people.cancel(OLGA, asked.run, "it is calm")
    look(now)
    assert statuses(now) == {asked.run: "cancelled"}
    assert "olga has cancelled it: it is calm." in message(now).text
    look(now, 7_200.0)
    assert "1 look" in message(now).text


@both_ways
@pytest.mark.spread("done:ask", "recorded:ask")
@pytest.mark.parametrize("boundary", boundaries("read", "ask", "tell"))
def test_what_a_person_has_decided_is_done_once_wherever_its_run_dies(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, book())
    now.metrics.values[EXPRESSIONS[Question.CPU]] = 90.0
    branch = {"action": "horizontal_scale", "target": "api"}
    now.people.run(OLGA, "decide", options={"cpu": branch}, why="it is slow")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    now.go_on()
    assert statuses(now) == {"decide.person.1": "succeeded", "api.person.1": "succeeded"}
    child = now.runs.get("api.person.1")
    assert child is not None
    assert (child.request.origin.kind, child.request.origin.by) == (PERSON, "olga")
    assert now.apps.values()["replicas"] == 3
    assert now.apps.writes.effective == ["update_app"]
    assert now.rows("SELECT run FROM cooldowns WHERE until >= :until", until=BUSY_UNTIL) == []


def test_a_plan_of_a_decision_shows_the_plan_of_the_change_and_changes_nothing(
    engine: sa.Engine,
) -> None:
    now = Installation(engine, book())
    branch = {"action": "horizontal_scale", "target": "api"}
    now.people.run(OLGA, "decide", options={"cpu": branch}, why="a plan", plan_only=True)
    now.go_on()
    assert statuses(now) == {"decide.plan.1": "shadow", "api.plan.1": "shadow"}
    planned = now.runs.get("api.plan.1")
    assert planned is not None
    assert planned.plan is not None
    assert (planned.plan.before, planned.plan.after) == ("2", "3")
    assert now.apps.writes.effective == []


@both_ways
@pytest.mark.parametrize("boundary", boundaries("tell_1", "conclude"))
def test_what_a_person_tells_is_told_once_wherever_its_run_dies(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    now = Installation(engine, book())
    options = {"channels": ["#ops"], "text": "We scale now."}
    now.people.run(OLGA, "tell", options=options, why="a big exam")
    first = now.begin()
    first.go_to(boundary)
    taken_up(now, first)
    assert message(now).title == "For all teams: olga"
    assert statuses(now) == {"tell.person.1": "succeeded"}
