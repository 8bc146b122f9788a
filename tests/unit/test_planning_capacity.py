"""`set_capacity` of an App Platform component: values instead of steps, in one plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_platform.plan import plan_component
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from tests.fakes.runs import API, request_for
from tests.unit.test_planning_app import seen

XS, S, M, L = API.sizes
ANNA = Origin(PERSON, "anna", "a big exam")


def asked(**options: Any) -> Request:
    """What an alert asks for by a rule with these options."""
    return request_for("set_capacity", API, options=options)


def by_a_person(**to: Any) -> Request:
    wanted = tuple(Wanted(name, to=value) for name, value in to.items())
    return replace(request_for("set_capacity", API), origin=ANNA, wanted=wanted)


def after(made: Plan | PlanHeld) -> object:
    """What is written, or the guard that holds it."""
    return made.wanted["after"] if isinstance(made, Plan) else made.guard


COUNT, SIZE = "instance_count", "instance_size_slug"


@pytest.mark.parametrize(
    ("count", "size", "options", "written"),
    [
        (2, XS, {"replicas": 5}, {COUNT: 5}),
        (2, XS, {"size": M}, {SIZE: M}),
        (2, XS, {"replicas": 10, "size": M}, {COUNT: 10, SIZE: M}),
        (10, XS, {"replicas": 10, "size": M}, {SIZE: M}),
        (7, XS, {"replicas": 5}, "already_there"),
        (7, XS, {"replicas": 5, "size": M}, {SIZE: M}),
        (2, L, {"replicas": 5, "size": M}, {COUNT: 5}),
        (7, L, {"replicas": 5, "size": M}, "already_there"),
        (15, XS, {"replicas": 5}, "already_there"),
        (2, "basic-xs", {"size": M}, "ladder"),
    ],
    ids=[
        "a count",
        "a size, two steps up",
        "both",
        "the count is there",
        "more of them are there",
        "more of them are there, and each is smaller",
        "each is larger",
        "more of them, and each is larger",
        "a person has raised it above the maximum",
        "nobody knows which of the sizes is larger",
    ],
)
def test_an_alert_asks_for_at_least_so_much_and_takes_nothing_away(
    count: int, size: str, options: dict[str, Any], written: object
) -> None:
    assert after(plan_component(asked(**options), seen(replicas=count, size=size))) == written


@pytest.mark.parametrize(
    ("count", "size", "options", "written"),
    [
        (7, XS, {"replicas": 5}, {COUNT: 5}),
        (2, L, {"size": S}, {SIZE: S}),
        (2, L, {"replicas": 10, "size": S}, {COUNT: 10, SIZE: S}),
        (7, L, {"replicas": 2, "size": XS}, {COUNT: 2, SIZE: XS}),
        (2, "basic-xs", {"size": M}, {SIZE: M}),
        (5, XS, {"replicas": 5}, "already_there"),
    ],
    ids=["in", "down", "out and down", "in and down", "from an unknown size", "nothing to do"],
)
def test_an_exact_rule_goes_whichever_way_its_values_lie(
    count: int, size: str, options: dict[str, Any], written: object
) -> None:
    made = plan_component(asked(**options, exact=True), seen(replicas=count, size=size))
    assert after(made) == written


def test_a_person_sets_count_and_size_in_one_deployment_with_one_price() -> None:
    plan = plan_component(by_a_person(replicas=4, size=M), seen(replicas=6, size=S))
    assert isinstance(plan, Plan)
    assert (plan.what, plan.before, plan.after) == (
        "replicas and size",
        "6 × professional-s",
        "4 × professional-m",
    )
    assert (plan.price_before, plan.price_after) == (150.0, 200.0)
    assert plan.steps == ("update_app", "await_deployment", "verify")
    assert "No downtime" in plan.downtime


@pytest.mark.parametrize("options", [{"replicas": 11}, {"replicas": 1, "exact": True}])
def test_alerts_stay_within_the_bounds_of_the_target(options: dict[str, Any]) -> None:
    held = plan_component(asked(**options), seen(replicas=4))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == ("bounds", False)


def test_a_person_may_set_as_many_as_the_limit_says() -> None:
    request = replace(by_a_person(replicas=20), on=replace(API, limit=20))
    assert after(plan_component(request, seen())) == {COUNT: 20}


def test_a_request_that_names_nothing_changes_nothing() -> None:
    """A rule like that is refused by check; a stored request may still come."""
    assert after(plan_component(asked(), seen())) == "already_there"
