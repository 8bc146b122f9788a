"""The checklist of one scenario: what is ticked, by whom, and what is left to a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.domain.checklists import Found, markdown_of
from service.domain.decisions.approval import APPROVED
from service.domain.decisions.planning import Plan
from service.domain.scenarios.evidence import found_of, signed_of
from service.domain.scenarios.going import ACTIVE, STEP_DONE, Child, Deed, ScenarioNow, StepNow
from service.domain.scenarios.scenarios import Scenario, Step
from service.domain.scenarios.signoffs import AFTER, BEFORE, Gate, Signoff
from service.domain.scenarios.told import run_told
from service.rulebook.checklists import load_checklist
from service.rulebook.kpis import load_kpis
from service.rulebook.pack import packaged

GOLDEN = Path(__file__).parent / "checklist-of-a-scenario.md"
AT = 1_800_000_000.0
PLAN = Plan("replicas", "2", "8", ("update_app",), {}, price_before=24.0, price_after=400.0)
OUT = Step("out", "set_capacity", "api", restores=True)
FLUSH = Step("flush", "flush_cache", "app-cache")


def step(each: Step, price: float) -> StepNow:
    plan = replace(PLAN, price_after=24.0 + price)
    return StepNow(each, STEP_DONE, child=Child(f"rush.1.{each.id}.1", "succeeded", "", "", plan))


NOW = ScenarioNow(
    "rush.1",
    Scenario("rush", (OUT, FLUSH), signoff=Gate(("devops",), ("finance",), ("devops", "cto"))),
    "olga",
    "we are on the news",
    ACTIVE,
    (step(OUT, 376.0), step(FLUSH, 0.0)),
    began_at=AT,
    plan_hash="0123456789ab",
    message="C0123/1800000000.000100",
    signoffs=(
        Signoff("devops", BEFORE, "dora", AT - 60, "0123456789ab", "the plan is [right]"),
        Signoff("finance", BEFORE, "finn", AT - 30, "0123456789ab", "it is worth it"),
        Signoff("devops", AFTER, "dora", AT + 9_000, "0123456789ab", "all is well"),
        Signoff("cto", AFTER, "carl", AT + 9_000, "another-plan", "all is well"),
    ),
)


def reading(metric: str, mean: float, unit: str, target: str = "") -> dict[str, Any]:
    at = "2027-01-15T07:00:00Z"
    return {"metric": metric, "target": target, "mean": mean, "unit": unit, "at": at}


WAS = [reading("p95", 840.0, "ms"), reading("errors", 2.5, "%"), reading("cpu", 91.0, "%", "api")]
IS = [reading("p95", 190.0, "ms"), reading("errors", 0.2, "%")]


def test_the_checklist_of_a_scenario_is_exactly_the_golden_file() -> None:
    told = run_told(NOW, {})
    title = "Scenario rush.1: active"
    checklist = load_checklist(packaged("checklists.yml"))
    found = found_of(told, WAS, IS, load_kpis(packaged("kpis.yml")))
    assert markdown_of(checklist, title, found, signed_of(told)) == (GOLDEN.read_text())


def test_a_sign_off_of_another_plan_ticks_nothing() -> None:
    told = run_told(replace(NOW, plan_hash="ba9876543210"), {})
    found = found_of(told, [], [])
    assert [found[each].done for each in ("plan", "budget")] == [False, False]
    assert found["plan"].evidence == "plan ba9876543210, signed by nobody"
    assert signed_of(told) == {}


def test_an_approval_ticks_the_budget_where_finance_has_not_signed() -> None:
    decided = Deed("finn", "for the news", AT, APPROVED)
    told = run_told(replace(NOW, signoffs=(), decided=decided, approved="0123456789ab"), {})
    budget = found_of(told, [], [])["budget"]
    assert (budget.done, budget.who) == (True, "finn")
    assert budget.evidence == "approved, plan 0123456789ab; it adds $376 a month"


@pytest.mark.parametrize(
    ("after", "done"),
    [
        (IS, True),
        ([reading("p95", 900.0, "ms"), reading("errors", 0.2, "%")], False),
        (IS[:1], False),
    ],
)
def test_it_counts_as_improved_only_where_both_readings_are_there_and_no_higher(
    after: list[dict[str, Any]], done: bool
) -> None:
    assert found_of(run_told(NOW, {}), WAS, after)["improved"].done is done
    assert "improved" not in found_of(run_told(NOW, {}), [], after)


@pytest.mark.parametrize(("rate", "done"), [(0.1, True), (0.11, False)])
def test_errors_count_as_acceptable_only_up_to_the_target_of_their_kpi(
    rate: float, done: bool
) -> None:
    kpis = [replace(each, target=0.1) for each in load_kpis(packaged("kpis.yml"))]
    after = [reading("errors", rate, "%")]
    found = found_of(run_told(NOW, {}), [], after, kpis)["errors"]
    assert found.done is done
    assert found.evidence == f"errors {rate} %, and the target of error_rate is 0.1 %"
    assert found.at == "2027-01-15T07:00:00Z"
    assert "errors" not in found_of(run_told(NOW, {}), [], [], kpis)
    assert "errors" not in found_of(run_told(NOW, {}), [], [reading("errors", rate, "")], kpis)


def test_it_counts_as_monitored_only_once_there_are_readings_after_it() -> None:
    assert found_of(run_told(NOW, {}), WAS, IS)["monitored"].done
    assert "monitored" not in found_of(run_told(NOW, {}), WAS, [])


def test_what_was_not_begun_and_not_told_ticks_neither() -> None:
    found = found_of(run_told(replace(NOW, began_at=None, message=""), {}), [], [])
    assert "team" not in found
    assert "initiated" not in found
    assert "metrics" not in found


def test_a_note_cannot_make_markdown_of_its_own() -> None:
    checklist = load_checklist(packaged("checklists.yml"))
    hostile = Found(True, "x\n- [x] No data loss <b>", "eve")
    text = markdown_of(checklist, "t", {"plan": hostile}, {})
    assert "\n- [x] No data loss" not in text
    assert "\\<b\\>" in text
