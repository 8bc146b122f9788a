from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.supabase.plan import plan_project
from service.catalogue.supabase.target import PRICES
from service.domain.decisions.planning import Plan, PlanHeld
from tests.fakes.runs import API, DATABASE, request_for

ASK = request_for("scale_database", DATABASE)


def seen(**changes: Any) -> dict[str, Any]:
    return {"variant": "ci_micro", "status": "ACTIVE_HEALTHY", "sizes": {}, **changes}


def sold(**prices: float) -> dict[str, Any]:
    return {size: {"price_monthly": price} for size, price in prices.items()}


def test_the_plan_is_one_step_up_the_ladder() -> None:
    plan = plan_project(ASK, seen())
    assert isinstance(plan, Plan)
    assert (plan.what, plan.before, plan.after) == ("compute", "ci_micro", "ci_small")
    assert (plan.price_before, plan.price_after) == (10.0, 15.0)


def test_the_vendors_prices_come_before_ours() -> None:
    plan = plan_project(ASK, seen(sizes=sold(ci_micro=9.5, ci_small=14.5)))
    assert isinstance(plan, Plan)
    assert (plan.price_before, plan.price_after, plan.price_source) == (9.5, 14.5, "")


def test_prices_of_an_older_list_say_so_and_so_does_one_that_the_vendor_does_not_name() -> None:
    kept = seen(sizes=sold(ci_micro=9.5, ci_small=14.5), source="Supabase's list of 2026-11-03")
    plan = plan_project(ASK, kept)
    assert isinstance(plan, Plan)
    assert plan.price_source == "Supabase's list of 2026-11-03"
    plan = plan_project(ASK, seen(sizes=sold(ci_micro=9.5)))
    assert isinstance(plan, Plan)
    assert (plan.price_before, plan.price_after) == (9.5, 15.0)
    assert plan.price_source == PRICES.stand_in("it does not name them")


@pytest.mark.parametrize(
    ("changes", "guard", "at_bound", "retry"),
    [
        ({"status": "RESIZING"}, "project_status", False, 120.0),
        ({"variant": "ci_medium"}, "ladder_top", True, None),
        ({"variant": "ci_4xlarge"}, "ladder", False, None),
    ],
)
def test_what_holds_the_plan(
    changes: dict[str, Any], guard: str, at_bound: bool, retry: float | None
) -> None:
    held = plan_project(ASK, seen(**changes))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound, held.retry_after_s) == (guard, at_bound, retry)


def test_a_project_without_a_compute_addon_goes_to_the_first_size() -> None:
    """Nano has no add-on and is below the ladder, so the first size is one up from it."""
    plan = plan_project(ASK, seen(variant=""))
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("nano", "ci_micro")
    assert plan.wanted["before"] == ""
    assert plan.price_before is None
    nano = plan_project(ASK, seen(variant="", sizes=sold(ci_micro=9.5)))
    assert isinstance(nano, Plan)
    assert (nano.price_after, nano.price_source) == (9.5, "")


def test_a_target_of_another_kind_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="api"):
        plan_project(request_for("scale_database", API), seen())


def test_the_plan_says_for_how_long_the_target_goes_down() -> None:
    plan = plan_project(ASK, seen())
    assert isinstance(plan, Plan)
    assert "away for about 2 minutes" in plan.downtime
