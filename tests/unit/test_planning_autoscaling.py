"""The vendor's own autoscaling of a component: switched on, and moved by alerts and people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_platform.autoscaling import FIELDS, MAX, MIN
from service.catalogue.app_platform.plan import (
    changed_component,
    component_costs,
    component_is,
    component_values,
    plan_component,
)
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from tests.fakes.runs import API, request_for
from tests.unit.test_planning_app import seen
from tests.unit.test_planning_capacity import COUNT, SIZE, after, by_a_person

XS, S, M, L = API.sizes
SECTION = {
    "min": 2,
    "max": 10,
    "cpu": 70,
    "rps": 500,
    "health_path": "/health",
    "health_delay": 10,
    "health_period": 10,
    "health_timeout": 5,
    "health_success": 1,
    "health_failure": 3,
}
"""The runbook's own, App Platform Auto-Scaling."""
WRITTEN = {FIELDS[name]: value for name, value in SECTION.items()}
ANNA = Origin(PERSON, "anna", "a big exam")
CPU, RPS = FIELDS["cpu"], FIELDS["rps"]


def scaled(low: int = 2, high: int = 8, size: str = L, **more: Any) -> dict[str, Any]:
    """A component that the vendor scales by CPU."""
    block = {"min_instance_count": low, "max_instance_count": high}
    fields = {**dict.fromkeys(FIELDS.values()), MIN: low, MAX: high, CPU: 70}
    return seen(replicas=None, size=size, autoscaling=block, fields=fields, **more)


def asked(target: Any = API, **options: Any) -> Request:
    return request_for("set_autoscaling", target, options=options)


def test_the_runbooks_section_is_one_plan_that_takes_the_count_out() -> None:
    plan = plan_component(asked(**SECTION), seen(size=L))
    assert isinstance(plan, Plan)
    assert plan.wanted["after"] == {**WRITTEN, COUNT: None}
    assert plan.what == "replicas and autoscaling and health check"
    assert plan.before == "2 × off × none"
    assert plan.after == (
        "by load × 2–10, CPU 70 %, 500 rps × "
        "/health, delay 10, period 10, timeout 5, success 1, failure 3"
    )
    assert (plan.price_before, plan.price_after, plan.asks) == (300.0, 1500.0, "")
    assert "as many instances as autoscaling may run" in plan.downtime


def test_a_shared_size_is_replaced_by_the_first_dedicated_one_which_a_person_has_to_approve() -> (
    None
):
    plan = plan_component(asked(**SECTION), seen())
    assert isinstance(plan, Plan)
    assert plan.wanted["after"] == {**WRITTEN, COUNT: None, SIZE: L}
    assert (plan.price_before, plan.price_after) == (24.0, 1500.0)
    assert plan.asks == (
        "professional-xs shares its CPUs, so the vendor cannot scale it by itself; professional-l "
        "can be, and would be set with it, at $150 instead of $12 a month each"
    )
    assert Plan.from_json(plan.to_json()) == plan


def test_a_size_that_is_named_and_dedicated_needs_no_approval() -> None:
    plan = plan_component(asked(min=2, max=4, cpu=70, size=L), seen())
    assert isinstance(plan, Plan)
    assert (plan.wanted["after"][SIZE], plan.asks) == (L, "")


def test_a_size_that_is_named_and_shared_is_held() -> None:
    assert after(plan_component(asked(min=2, max=4, cpu=70, size=S), seen())) == "shared_size"


def test_without_a_dedicated_size_on_the_ladder_the_hold_names_the_cheapest_with_its_price() -> (
    None
):
    held = plan_component(asked(replace(API, sizes=(XS, M)), min=2, max=4, cpu=70), seen())
    assert isinstance(held, PlanHeld)
    assert held.guard == "shared_size"
    assert "the cheapest is apps-d-1vcpu-0.5gb, at $29 a month for each instance" in held.reason


def test_the_vendors_own_list_says_which_size_is_dedicated() -> None:
    sizes = {
        size: {"price_monthly": 10.0, "dedicated": size != XS, "single_instance_only": False}
        for size in API.sizes
    }
    plan = plan_component(asked(min=2, max=4, cpu=70), seen(sizes=sizes, source=""))
    assert isinstance(plan, Plan)
    assert plan.wanted["after"][SIZE] == S


@pytest.mark.parametrize(
    ("request_", "written"),
    [
        (request_for("horizontal_scale", API), {MAX: 9}),
        (request_for("horizontal_scale", API, options={"step": 9}), {MAX: 10}),
        (request_for("set_capacity", API, options={"replicas": 5}), {MIN: 5}),
        (request_for("set_capacity", API, options={"replicas": 9}), {MIN: 9, MAX: 9}),
        (request_for("set_capacity", API, options={"replicas": 2}), "already_there"),
        (
            request_for("set_capacity", API, options={"replicas": 5, "exact": True}),
            "native_autoscaling",
        ),
        (by_a_person(replicas=5), "native_autoscaling"),
        (replace(request_for("horizontal_scale", API), wanted=(Wanted("max", by=-1),)), {MAX: 7}),
        (replace(asked(), wanted=(Wanted("max", to=6),)), {MAX: 6}),
        (replace(asked(), wanted=(Wanted("max", to=1),)), "bounds"),
        (replace(asked(), wanted=(Wanted("max", to=11),)), "bounds"),
        (replace(asked(), origin=ANNA, wanted=(Wanted("min", to=1),)), "bounds"),
        (request_for("vertical_scale", replace(API, sizes=(L, "professional-xl"))), None),
        (
            replace(request_for("vertical_scale", API), wanted=(Wanted("size", to=M),)),
            "shared_size",
        ),
    ],
    ids=[
        "one more moves the upper bound",
        "never beyond the maximum",
        "at least so many moves the lower one",
        "and takes the upper one along",
        "the lower one is there",
        "an exact count of a rule",
        "an exact count of a person",
        "a return",
        "another upper bound",
        "upper below lower",
        "above the maximum",
        "below the minimum",
        "a larger size",
        "a size that the vendor cannot scale",
    ],
)
def test_while_the_vendor_scales_it_its_bounds_are_moved(
    request_: Request, written: object
) -> None:
    made = plan_component(request_, scaled())
    assert after(made) == ({SIZE: "professional-xl"} if written is None else written)


def test_at_the_maximum_somebody_is_paged_and_above_it_nobody() -> None:
    out = request_for("horizontal_scale", API)
    for high, limit, pages in ((10, None, True), (12, None, True), (12, 20, False)):
        held = plan_component(replace(out, on=replace(API, limit=limit)), scaled(high=high))
        assert isinstance(held, PlanHeld)
        assert (held.guard, held.at_bound) == ("max_replicas", pages)


def test_bounds_that_somebody_has_set_at_the_vendor_do_not_hold_what_leaves_them() -> None:
    made = plan_component(request_for("horizontal_scale", API), scaled(low=1))
    assert after(made) == {MAX: 9}


def test_what_is_switched_off_meanwhile_has_no_bound_to_be_taken_back() -> None:
    back = replace(request_for("horizontal_scale", API), wanted=(Wanted("max", by=-1),))
    assert after(plan_component(back, seen(size=L))) == "native_autoscaling"


@pytest.mark.parametrize(
    "options",
    [{"cpu": 70, "rps": 500}, {"cpu": 70, "health_path": "/health"}],
    ids=["requests", "health check"],
)
def test_a_worker_takes_no_requests(options: dict[str, Any]) -> None:
    made = plan_component(asked(min=2, max=4, **options), seen(kind="workers", size=L))
    assert after(made) == "component"


def test_autoscaling_needs_both_bounds_and_a_load() -> None:
    only_max = replace(asked(), origin=ANNA, wanted=(Wanted("max", to=8),))
    no_load = replace(asked(), wanted=(Wanted("min", to=2), Wanted("max", to=8)))
    assert after(plan_component(only_max, seen(size=L))) == "bounds"
    assert after(plan_component(no_load, seen(size=L))) == "bounds"


@pytest.mark.parametrize("found", [seen(), seen(size=L), scaled(), scaled(fields_of="nobody")])
def test_an_undo_of_the_section_leaves_the_component_as_it_was(found: dict[str, Any]) -> None:
    """Also what was not set before, which is taken out again."""
    plan = plan_component(asked(**SECTION), found)
    assert isinstance(plan, Plan)
    state = {**plan.wanted["planned_from"], **plan.wanted["after"]}
    changed = changed_component(plan)
    undo = replace(
        asked(),
        origin=ANNA,
        wanted=tuple(Wanted(name, to=was) for name, (was, _) in changed.items()),
    )
    now = seen(
        replicas=state[COUNT],
        size=state[SIZE],
        autoscaling={"min_instance_count": 2, "max_instance_count": 10},
        fields={key: state.get(key) for key in FIELDS.values()},
    )
    back = plan_component(undo, now)
    assert isinstance(back, Plan)
    was = plan.wanted["planned_from"]
    assert back.wanted["after"] == {key: was[key] for key in plan.wanted["after"]}


def test_people_and_the_ledger_are_told_how_the_vendor_scales_it() -> None:
    assert component_is(scaled()) == {"autoscaling": "2–8, CPU 70 %", "size": L}
    assert component_values(scaled()) == {"size": L, "min": 2, "max": 8, "cpu": 70}
    assert component_values(seen()) == {"replicas": 2, "size": XS}
    assert component_costs(scaled()) == 1200.0


# ---- Switched off ----

OFF = {MIN: None, MAX: None, CPU: None}


def test_a_fixed_count_switches_the_vendors_autoscaling_off_in_one_plan_that_names_it() -> None:
    plan = plan_component(asked(fixed=4), scaled())
    assert isinstance(plan, Plan)
    assert plan.wanted["after"] == {**OFF, COUNT: 4}
    assert (plan.what, plan.before, plan.after) == (
        "replicas and autoscaling",
        "by load × 2–8, CPU 70 %",
        "4 × off",
    )
    assert (plan.price_before, plan.price_after, plan.asks) == (1200.0, 600.0, "")
    assert "Where more than 4 instances serve now, the others go." in plan.downtime


def test_a_size_goes_along_with_a_fixed_count_and_may_share_its_cpus() -> None:
    plan = plan_component(asked(fixed=4, size=S), scaled())
    assert isinstance(plan, Plan)
    assert plan.wanted["after"] == {**OFF, COUNT: 4, SIZE: S}


@pytest.mark.parametrize(
    ("request_", "found", "guard"),
    [
        (asked(fixed=4), seen(), "native_autoscaling"),
        (asked(fixed=11), scaled(), "bounds"),
        (asked(fixed=1), scaled(), "bounds"),
        (asked(fixed=4, max=8), scaled(), "options"),
        (replace(asked(fixed=20), origin=ANNA), scaled(), "bounds"),
    ],
    ids=["not scaled", "above", "below", "both", "a person, above"],
)
def test_a_fixed_count_that_cannot_be_is_held(
    request_: Request, found: dict[str, Any], guard: str
) -> None:
    assert after(plan_component(request_, found)) == guard


def test_autoscaling_by_what_is_not_known_is_left_because_an_undo_could_not_restore_it() -> None:
    found = scaled()
    latency = {"requests_duration": {"p95_milliseconds": 200}}
    found["autoscaling"] = {**found["autoscaling"], "metrics": latency}
    held = plan_component(asked(fixed=4), found)
    assert isinstance(held, PlanHeld)
    assert "autoscaling.metrics.requests_duration.p95_milliseconds too" in held.reason


def test_an_undo_of_the_switch_has_the_vendor_scale_it_as_before() -> None:
    plan = plan_component(asked(fixed=4), scaled())
    assert isinstance(plan, Plan)
    wanted = tuple(Wanted(name, to=was) for name, (was, _) in changed_component(plan).items())
    now = seen(replicas=4, size=L, fields=dict.fromkeys(FIELDS.values()))
    back = plan_component(replace(asked(), origin=ANNA, wanted=wanted), now)
    assert isinstance(back, Plan)
    assert back.wanted["after"] == {MIN: 2, MAX: 8, CPU: 70, COUNT: None}
