from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_platform.plan import plan_component
from service.catalogue.app_platform.target import PRICES
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from tests.fakes.runs import API, DATABASE, request_for

OUT = request_for("horizontal_scale", API)
UP = request_for("vertical_scale", API)


def seen(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": "services",
        "components": ["api", "web"],
        "replicas": 2,
        "size": "professional-xs",
        "autoscaling": None,
        "deploying": None,
        "last_deployment": "dep-0",
    }
    return {**facts, **changes}


@pytest.mark.parametrize(
    ("current", "step", "wanted"),
    [
        (2, 1, 3),
        (2, 3, 5),
        (9, 1, 10),
        (9, 5, 10),
        (1, 1, 2),
        (0, 1, 2),
    ],
    ids=[
        "one step",
        "a larger step",
        "up to the maximum",
        "never beyond the maximum",
        "to the minimum",
        "to the minimum from nothing",
    ],
)
def test_the_count_wanted_is_absolute_and_within_the_bounds(
    current: int, step: int, wanted: int
) -> None:
    plan = plan_component(
        request_for("horizontal_scale", API, options={"step": step}), seen(replicas=current)
    )
    assert isinstance(plan, Plan)
    assert (plan.what, plan.before, plan.after) == ("replicas", str(current), str(wanted))
    assert plan.wanted["planned_from"]["instance_count"] == current
    assert plan.wanted["after"] == {"instance_count": wanted}


def test_a_count_far_below_the_minimum_is_brought_to_it() -> None:
    request = replace(OUT, on=replace(API, min_replicas=5))
    plan = plan_component(request, seen(replicas=2))
    assert isinstance(plan, Plan)
    assert plan.after == "5"


@pytest.mark.parametrize("current", [10, 15], ids=["at the maximum", "above it, by hand"])
def test_at_the_maximum_it_is_held_and_never_reduced(current: int) -> None:
    held = plan_component(OUT, seen(replicas=current))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == ("max_replicas", True)
    assert f"runs {current} replicas" in held.reason


LIMITED = replace(API, limit=20)
ASKED = Origin(PERSON, "anna", "a big exam")


@pytest.mark.parametrize(
    ("origin", "current", "to", "after"),
    [(ASKED, 2, 20, "20"), (ASKED, 15, 18, "18"), (ASKED, 2, 21, None), (OUT.origin, 2, 11, None)],
    ids=["up to the limit", "above the maximum", "beyond the limit", "an alert, above its maximum"],
)
def test_people_may_ask_for_as_many_as_the_limit_says(
    origin: Origin, current: int, to: int, after: str | None
) -> None:
    wanted = (Wanted("replicas", to=to),)
    request = replace(OUT, on=LIMITED, origin=origin, wanted=wanted)
    plan = plan_component(request, seen(replicas=current))
    assert (plan.after if isinstance(plan, Plan) else None) == after


@pytest.mark.parametrize(("current", "pages"), [(10, True), (15, False), (20, True)])
def test_what_a_person_has_raised_above_the_maximum_is_held_without_a_page(
    current: int, pages: bool
) -> None:
    held = plan_component(replace(OUT, on=LIMITED), seen(replicas=current))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == ("max_replicas", pages)


def test_a_deployment_of_others_holds_for_a_minute() -> None:
    held = plan_component(OUT, seen(deploying="dep-9"))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.retry_after_s) == ("deployment_in_progress", 60.0)
    assert "dep-9" in held.reason


@pytest.mark.parametrize("request_", [OUT, UP])
def test_a_component_that_is_missing_is_named_with_those_there_are(request_: Request) -> None:
    held = plan_component(request_, seen(kind=None))
    assert isinstance(held, PlanHeld)
    assert held.guard == "component"
    assert "no component named api (it has: api, web)" in held.reason


@pytest.mark.parametrize("kind", ["jobs", "static_sites", "functions"])
def test_what_runs_no_lasting_instances_is_refused(kind: str) -> None:
    held = plan_component(OUT, seen(kind=kind))
    assert isinstance(held, PlanHeld)
    assert f"one of its {kind}" in held.reason


def test_prices_are_those_of_all_replicas_a_month() -> None:
    plan = plan_component(OUT, seen())
    assert isinstance(plan, Plan)
    assert (plan.price_before, plan.price_after) == (24.0, 36.0)


def test_an_unlisted_size_has_no_price_and_is_planned_all_the_same() -> None:
    plan = plan_component(OUT, seen(size="apps-d-new"))
    assert isinstance(plan, Plan)
    assert (plan.price_before, plan.price_after) == (None, None)


def test_the_next_instance_size_is_one_step_up_the_ladder() -> None:
    plan = plan_component(UP, seen())
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("professional-xs", "professional-s")
    assert (plan.price_before, plan.price_after) == (24.0, 50.0)
    assert plan.wanted["after"] == {"instance_size_slug": "professional-s"}


@pytest.mark.parametrize("size", ["basic-xs", ""], ids=["not on the ladder", "not named"])
def test_an_unknown_instance_size_is_held(size: str) -> None:
    held = plan_component(UP, seen(size=size))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == ("ladder", False)


def test_a_plan_is_the_same_after_a_round_trip_through_the_record() -> None:
    plan = plan_component(OUT, seen())
    assert isinstance(plan, Plan)
    assert Plan.from_json(plan.to_json()) == plan


def test_a_target_of_another_kind_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="database"):
        plan_component(request_for("horizontal_scale", DATABASE), seen())


def test_the_plan_says_for_how_long_the_target_goes_down() -> None:
    plan = plan_component(OUT, seen())
    assert isinstance(plan, Plan)
    assert "No downtime" in plan.downtime


def wanting(*wanted: Wanted) -> Request:
    """What nobody but a person or a level asks for so far."""
    return replace(OUT, wanted=wanted)


def test_count_and_size_are_one_plan_with_one_price() -> None:
    both = wanting(Wanted("replicas", to=4), Wanted("size", by=1))
    plan = plan_component(both, seen())
    assert isinstance(plan, Plan)
    assert (plan.what, plan.before, plan.after) == (
        "replicas and size",
        "2 × professional-xs",
        "4 × professional-s",
    )
    assert plan.wanted["after"] == {
        "instance_count": 4,
        "instance_size_slug": "professional-s",
    }
    assert (plan.price_before, plan.price_after) == (24.0, 100.0)


def test_what_is_there_already_is_left_out_of_the_write() -> None:
    plan = plan_component(wanting(Wanted("replicas", to=2), Wanted("size", by=1)), seen())
    assert isinstance(plan, Plan)
    assert plan.wanted["after"] == {"instance_size_slug": "professional-s"}


@pytest.mark.parametrize(
    ("by", "current", "after"), [(-1, 5, 4), (-1, 10, 9), (-3, 4, 2), (-1, 12, 10)]
)
def test_fewer_are_wanted_within_the_bounds_also_at_the_maximum(
    by: int, current: int, after: int
) -> None:
    plan = plan_component(wanting(Wanted("replicas", by=by)), seen(replicas=current))
    assert isinstance(plan, Plan)
    assert plan.wanted["after"] == {"instance_count": after}


def test_a_smaller_size_is_one_step_down_the_ladder() -> None:
    plan = plan_component(wanting(Wanted("size", by=-1)), seen(size="professional-l"))
    assert isinstance(plan, Plan)
    assert (plan.after, plan.price_after) == ("professional-m", 100.0)


@pytest.mark.parametrize(
    ("wanted", "facts", "guard"),
    [
        (Wanted("replicas", by=-1), {"replicas": 2}, "min_replicas"),
        (Wanted("size", by=-1), {}, "ladder_bottom"),
        (Wanted("replicas", to=2), {}, "already_there"),
        (Wanted("size", to="professional-xs"), {}, "already_there"),
        (Wanted("replicas", to=11), {}, "bounds"),
        (Wanted("replicas", to=1), {}, "bounds"),
        (Wanted("size", to="basic-s"), {}, "bounds"),
    ],
)
def test_what_is_not_for_more_is_held_without_waking_anybody(
    wanted: Wanted, facts: dict[str, Any], guard: str
) -> None:
    held = plan_component(wanting(wanted), seen(**facts))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == (guard, False)
    assert held.reason.startswith("api ")


def test_a_size_that_is_named_needs_no_ladder_to_hold_the_present_one() -> None:
    plan = plan_component(wanting(Wanted("size", to="professional-m")), seen(size="basic-xs"))
    assert isinstance(plan, Plan)
    assert plan.after == "professional-m"


def test_an_app_that_a_person_rolled_back_is_held() -> None:
    """The vendor takes no new deployment of a pinned app, so nothing is planned for it."""
    held = plan_component(OUT, seen(pinned="dep-1"))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.by_person, held.retry_after_s) == ("rolled_back", True, 60.0)
    assert "A person pinned app" in held.reason
    assert "dep-1" in held.reason


SOLD = {
    "professional-xs": {
        "slug": "professional-xs",
        "price_monthly": 13.0,
        "dedicated": False,
        "single_instance_only": False,
    },
    "professional-s": {
        "slug": "professional-s",
        "price_monthly": 26.0,
        "dedicated": False,
        "single_instance_only": True,
    },
}


def test_the_vendors_own_price_wins_and_needs_no_word_where_it_is_from() -> None:
    plan = plan_component(OUT, seen(sizes=SOLD, source=""))
    assert isinstance(plan, Plan)
    assert (plan.price_before, plan.price_after, plan.price_source) == (26.0, 39.0, "")


def test_a_price_of_an_older_list_says_of_which_day_it_is() -> None:
    plan = plan_component(OUT, seen(sizes=SOLD, source="DigitalOcean's list of 2026-11-03"))
    assert isinstance(plan, Plan)
    assert plan.price_source == "DigitalOcean's list of 2026-11-03"


def test_a_price_that_the_vendor_does_not_name_says_that_it_is_the_documented_one() -> None:
    plan = plan_component(OUT, seen())
    assert isinstance(plan, Plan)
    assert plan.price_source == PRICES.stand_in("it could not be asked")


def test_more_than_one_instance_of_a_size_that_runs_alone_is_held() -> None:
    held = plan_component(UP, seen(sizes=SOLD, source=""))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.facts) == ("single_instance", {"size": "professional-s", "wanted": 2})
    assert not held.at_bound
