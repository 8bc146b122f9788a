"""The status of each target, on both databases, and what it costs the store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.app_platform.target import AppTarget
from service.cli.status import _money, _scenarios
from service.domain.decisions.budget import Budget
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.policy import Policy
from service.domain.filters import BadFilter
from service.domain.rules.rules import RuleBook
from service.domain.scenarios.scenarios import Scenario, Step
from service.store import schema
from service.store.database import open_engine
from service.store.leases import LeaseStore
from service.store.status import (
    LARGEST,
    MOST_COUNTED,
    PARTS,
    RECENT_DECISIONS,
    WHOLE,
    declared,
    status,
)
from tests.databases import Databases
from tests.integration.test_queries import alert_row, decision_row, insert, run_row

NOW = 1_780_000_000.0
PLAN = {"what": "replicas", "before": "2", "after": "3"}


def rules_of(*names: str) -> RuleBook:
    targets = {name: AppTarget(name, f"app-{name}", name, 2, 10) for name in names or ("api",)}
    return RuleBook(rules=(), targets=targets, hash="0123456789ab")


def book(*names: str) -> dict[str, Any]:
    return declared(rules_of(*names))


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    engine = open_engine(databases.empty())
    schema.metadata.create_all(engine)
    yield engine
    engine.dispose()


def counted(told: dict[str, Any]) -> dict[str, int]:
    """How many runs and messages wait."""
    return {name: told["queue"][name] for name in ("queued", "running", "messages")}


def of_api(engine: sa.Engine, now: float = NOW) -> dict[str, Any]:
    told = json.loads(json.dumps(status(engine, book(), now)))
    found: dict[str, Any] = told["targets"]["api"]
    return found


def looked(run: str, at: float, **seen: object) -> dict[str, object]:
    return {
        "run": run,
        "position": 1,
        "name": "prepare",
        "attempt": 1,
        "status": "done",
        "started_at": at,
        "ended_at": at,
        "detail": json.dumps({"seen": seen}),
    }


def run(name: str, at: float, **changes: object) -> dict[str, object]:
    return run_row(name, at, **{"started_at": None, "ended_at": None, "plan": None, **changes})


def ended(name: str, at: float, state: str = "succeeded", **changes: object) -> dict[str, object]:
    told = {"status": state, "started_at": at - 59, "ended_at": at, "plan": json.dumps(PLAN)}
    return run(name, at - 60, **{**told, **changes})


def cooldown(key: str, until: float, run: str, reason: str = "") -> dict[str, object]:
    return {"key": key, "generation": 1, "until": until, "run": run, "reason": reason}


def test_a_target_of_which_nothing_is_known_has_every_key(engine: sa.Engine) -> None:
    assert of_api(engine) == {
        "name": "api",
        "kind": "app_platform",
        "resource": "do-app:app-api",
        "console": "https://cloud.digitalocean.com/apps/app-api",
        "bounds": "2–10 instances",
        "sizes": [],
        "present": None,
        "cooldowns": [],
        "under_way": [],
        "last_run": None,
        "pauses": [],
        "locks": [],
        "holds": [],
        "approvals": [],
        "spend": None,
        "added": [],
        "budget": None,
        "open_episodes": {"count": 0, "items": []},
    }


def test_the_state_is_what_the_last_run_set_with_when_and_which(engine: sa.Engine) -> None:
    insert(engine, schema.runs, ended("api.out.1", NOW - 360))
    insert(engine, schema.run_steps, looked("api.out.1", NOW - 400, replicas=2, size="basic-s"))
    assert of_api(engine)["present"] == {
        "state": {"replicas": 3, "size": "basic-s"},
        "known": "set",
        "run": "api.out.1",
        "seen_at": "2026-05-28T20:20:40Z",
    }


def test_a_failed_run_makes_the_state_unsure_only_where_it_may_have_written(
    engine: sa.Engine,
) -> None:
    insert(engine, schema.runs, ended("api.out.1", NOW - 60, "failed"))
    assert of_api(engine)["present"]["known"] == "seen"
    insert(
        engine, schema.intents, {"run": "api.out.1", "name": "update_app", "recorded_at": NOW - 90}
    )
    assert of_api(engine)["present"]["known"] == "unsure"


def test_a_change_is_remembered_behind_many_runs_that_did_not_look(engine: sa.Engine) -> None:
    held = [ended(f"api.up.{n}", NOW - n, "held", plan=None) for n in range(1, 150)]
    insert(engine, schema.runs, ended("api.out.1", NOW - 9_000), *held)
    assert of_api(engine)["present"]["run"] == "api.out.1"
    assert of_api(engine)["last_run"]["id"] == "api.up.1"


def test_a_cooldown_says_how_many_seconds_are_left_and_one_that_is_over_is_not_there(
    engine: sa.Engine,
) -> None:
    insert(
        engine,
        schema.cooldowns,
        cooldown("api.out", NOW + 240.4, "api.out.7", "api: replicas 2 → 3"),
        cooldown("api.up", NOW, "api.up.2"),
        cooldown("apx.out", NOW + 60, "apx.out.1"),
    )
    (found,) = of_api(engine)["cooldowns"]
    assert found == {
        "claim": "api.out",
        "direction": "out",
        "until": "2026-05-28T20:30:40.400000Z",
        "seconds_left": 240,
        "run": "api.out.7",
        "reason": "api: replicas 2 → 3",
    }


def test_a_run_under_way_is_told_and_is_no_cooldown(engine: sa.Engine) -> None:
    insert(engine, schema.cooldowns, cooldown("api.out", BUSY_UNTIL, "api.out.7"))
    insert(engine, schema.runs, run("api.out.7", NOW - 30, status="running", started_at=NOW))
    found = of_api(engine)
    assert found["cooldowns"] == []
    assert [(run["id"], run["status"]) for run in found["under_way"]] == [("api.out.7", "running")]
    assert found["last_run"] is None


def test_a_run_under_way_is_found_behind_any_number_of_newer_ones(engine: sa.Engine) -> None:
    newer = [ended(f"api.up.{n}", NOW - n, "held") for n in range(1, 40)]
    insert(engine, schema.cooldowns, cooldown("api.out", BUSY_UNTIL, "api.out.7"))
    insert(engine, schema.runs, run("api.out.7", NOW - 9_000, status="running"), *newer)
    assert [run["id"] for run in of_api(engine)["under_way"]] == ["api.out.7"]


def test_alerts_that_fire_and_ask_something_of_it_are_counted_and_the_newest_named(
    engine: sa.Engine,
) -> None:
    alerts = [alert_row(number, NOW - 100 + number) for number in range(8)]
    resolved = alert_row(9, NOW, open=False, resolved_at=NOW)
    decided = [
        decision_row(number, alert=row["id"]) for number, row in enumerate([*alerts, resolved])
    ]
    again = decision_row(99, alert=alerts[7]["id"])
    insert(engine, schema.alerts, *alerts, resolved)
    insert(engine, schema.decisions, *decided, again)
    found = of_api(engine)["open_episodes"]
    assert found["count"] == 8
    assert [each["id"] for each in found["items"]] == [row["id"] for row in alerts[:2:-1]]


def test_what_waits_and_who_works_stand_beside_the_targets(engine: sa.Engine) -> None:
    told = status(engine, book(), NOW)
    assert (told["workers"], counted(told)) == (0, {"queued": 0, "running": 0, "messages": 0})
    LeaseStore(engine, 15.0, sa.select(sa.literal(""))).register("worker-1", "host", 1)
    insert(engine, schema.runs, run("api.out.1", NOW), run("api.up.1", NOW, status="running"))
    told = status(engine, book(), NOW)
    assert (told["workers"], counted(told)) == (1, {"queued": 1, "running": 1, "messages": 0})
    assert (told["at"], told["rules_hash"]) == ("2026-05-28T20:26:40Z", "0123456789ab")


def test_counting_what_waits_ends_somewhere(engine: sa.Engine) -> None:
    runs = [run(f"x.notify.{n}", NOW, target=None) for n in range(MOST_COUNTED + 5)]
    insert(engine, schema.runs, *runs)
    assert status(engine, book(), NOW)["queue"]["queued"] == MOST_COUNTED


def test_one_target_is_told_alone_and_an_unknown_one_names_those_there_are(
    engine: sa.Engine,
) -> None:
    two = book("api", "web")
    assert list(status(engine, two, NOW, "web")["targets"]) == ["web"]
    with pytest.raises(BadFilter, match="target must be one of api, web"):
        status(engine, two, NOW, "apy")


def test_the_number_of_statements_grows_with_neither_targets_nor_rows(engine: sa.Engine) -> None:
    names = [f"target-{number}" for number in range(LARGEST)]
    insert(engine, schema.runs, ended("target-0.out.1", NOW, target="target-0"))
    one = _statements(engine, book("target-0"))
    for number, name in enumerate(names[1:20]):
        insert(engine, schema.runs, ended(f"{name}.out.1", NOW - number, target=name))
    assert len(_statements(engine, book(*names))) == len(one) <= len(PARTS) + len(WHOLE)


def test_more_targets_than_one_statement_takes_are_told_in_parts(engine: sa.Engine) -> None:
    names = [f"target-{number}" for number in range(LARGEST + 1)]
    insert(engine, schema.cooldowns, cooldown(f"{names[-1]}.out", NOW + 9, "x"))
    told = status(engine, book(*names), NOW)["targets"]
    assert list(told) == names
    assert told[names[-1]]["cooldowns"][0]["seconds_left"] == 9


def test_no_statement_reads_a_whole_table(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'plans.db'}")
    schema.metadata.create_all(engine)
    runs = [ended(f"api.out.{n}", NOW + n) for n in range(500)]
    insert(engine, schema.runs, *runs, run("api.up.1", NOW))
    insert(engine, schema.alerts, *(alert_row(n, NOW) for n in range(2 * RECENT_DECISIONS)))
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    by_statement = list(_plans(engine, book("api", "web")))
    plans = [plan for plans in by_statement for plan in plans]
    tables = ("alerts", "cooldowns", "decisions", "intents", "run_steps", "runs")
    scanned = [plan for plan in plans if plan.startswith(tuple(f"SCAN {name}" for name in tables))]
    assert scanned == []
    (recent,) = [each for each in by_statement if "ix_runs_target_created_at" in "".join(each)]
    assert not any("TEMP B-TREE" in plan for plan in recent)
    assert any("ix_decisions_target_id" in plan for plan in plans)
    assert any("SEARCH alerts USING INDEX sqlite_autoindex_alerts_1" in plan for plan in plans)


def _statements(engine: sa.Engine, rules: dict[str, Any]) -> list[str]:
    return [text for text, _ in _sent(engine, rules)]


def _sent(engine: sa.Engine, rules: dict[str, Any]) -> list[tuple[str, Any]]:
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, text: str, given: Any, *_rest: Any) -> None:
        sent.append((text, given))

    sa.event.listen(engine, "before_cursor_execute", note)
    status(engine, rules, NOW)
    sa.event.remove(engine, "before_cursor_execute", note)
    return sent


def _plans(engine: sa.Engine, rules: dict[str, Any]) -> Iterator[Sequence[str]]:
    sent = _sent(engine, rules)
    with engine.connect() as connection:
        for text, given in sent:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)
            yield [str(row[3]) for row in rows]


def test_the_budget_is_told_with_what_the_targets_cost_of_it(engine: sa.Engine) -> None:
    insert(
        engine,
        schema.spend,
        {"target": "api", "dollars_month": 24.0, "seen_at": NOW - 60, "accrued": 20.0},
    )
    insert(
        engine,
        schema.reservations,
        {"run": "api.out.2", "target": "api", "before": 24.0, "after": 36.0, "at": NOW},
    )
    budget = Budget(100.0, (("api", 60.0),), targets=("api", "db"))
    rules = declared(replace(rules_of(), policy=Policy(budget=budget)))
    told = status(engine, rules, NOW)
    assert told["budget"] == {
        "monthly": 100.0,
        "over": "approve",
        "dollars_month": 24.0,
        "reserved": 12.0,
        "this_month": 20.0,
        "unknown": ["db"],
    }
    api = told["targets"]["api"]
    assert api["budget"] == 60.0
    assert api["spend"]["dollars_month"] == 24.0


def test_the_terminal_says_what_is_left_of_the_budget() -> None:
    known = {"monthly": 100.0, "dollars_month": 24.0, "reserved": 12.0, "this_month": 20.0}
    (line,) = _money({**known, "unknown": ["db"]})
    assert line == (
        "Budget: $24.00 of $100.00 a month; $12.00 more reserved by runs under way; $20.00 spent "
        "this month; not known yet: db."
    )
    assert _money(None) == []


RUSH = Scenario("rush", (Step("out", "set_capacity", "api"), Step("db", "scale_database", "db")))
NIGHT = Scenario("night", (Step("n", "set_capacity", "api"),))
EMERGENCY = Scenario("emergency", (Step("all", "set_capacity", "api"),), emergency=True)


def started(run: str, **values: object) -> dict[str, object]:
    """The row of a scenario that was started."""
    usual = {"scenario": "rush", "state": "running", "reason": "", "who": "spike", "why": "a test"}
    more = {"spec": "{}", "rules_hash": "", "emergency": False, "plan_only": False}
    told = {"approved": "", "told": "", "paged": "", "created_at": NOW, "parent": None}
    ends = {"due_at": None, "ended_at": None}
    return {"id": run, **usual, **more, **told, **ends, **values}


def step_row(run: str, step: str, position: int, state: str, back: str = "") -> dict[str, object]:
    told = {"ask": "{}", "reason": "", "back_reason": "", "back_state": back}
    return {"run": run, "step": step, "position": position, "state": state, **told}


def test_scenarios_that_go_on_are_told_with_their_steps_and_what_cannot_start(
    engine: sa.Engine,
) -> None:
    insert(
        engine,
        schema.scenario_runs,
        started("rush.2", parent="rush.start.1", due_at=NOW + 60),
        started("rush.1", ended_at=NOW, state="done"),
        started("rush.3", plan_only=True),
    )
    insert(
        engine,
        schema.scenario_steps,
        step_row("rush.2", "out", 0, "done"),
        step_row("rush.2", "db", 1, "under way"),
        step_row("rush.1", "out", 0, "done"),
    )
    scenarios = {each.name: each for each in (RUSH, NIGHT, EMERGENCY)}
    told = status(engine, declared(replace(rules_of(), scenarios=scenarios)), NOW)
    (only,) = told["scenarios"]
    assert (only["id"], only["state"], only["by"]) == ("rush.2", "running", "rule spike")
    assert only["steps"] == {"out": "done", "db": "under way"}
    assert told["cannot_start"] == [
        {"scenario": "rush", "why": "rush.2 is running and changes api, db"},
        {"scenario": "night", "why": "rush.2 is running and changes api"},
    ]
    going, *rest = _scenarios(told)
    assert going.startswith(
        "Scenario rush.2 by rule spike: running, 1 of 2 steps over, under way: "
    )
    assert "db, in force until " in going
    assert rest[1] == "Scenario night cannot start now: rush.2 is running and changes api."


@pytest.mark.parametrize(("state", "in_the_way"), [("unsigned", False), ("running", True)])
def test_an_emergency_is_in_the_way_of_others_only_once_it_has_begun(
    engine: sa.Engine, state: str, in_the_way: bool
) -> None:
    row = started("emergency.1", scenario="emergency", emergency=True, state=state)
    insert(engine, schema.scenario_runs, row)
    insert(engine, schema.scenario_steps, step_row("emergency.1", "all", 0, "pending"))
    scenarios = {each.name: each for each in (NIGHT, EMERGENCY)}
    told = status(engine, declared(replace(rules_of(), scenarios=scenarios)), NOW)
    assert [each["scenario"] for each in told["cannot_start"]] == ["night"] * in_the_way
    assert [each["emergency"] for each in told["scenarios"]] == [True]


def test_a_status_of_a_version_without_scenarios_has_no_line_of_them() -> None:
    assert _scenarios({}) == []
