from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.droplet.plan import plan_droplet_size, snapshot_name
from service.domain.decisions.planning import Plan, PlanHeld
from tests.fakes.runs import API, WORKER, request_for

ASK = request_for("vertical_scale", WORKER)


def offer(price: float, disk_gb: int, *, available: bool = True) -> dict[str, Any]:
    return {"price_monthly": price, "disk_gb": disk_gb, "available": available}


def seen(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "size": "s-1vcpu-1gb",
        "status": "active",
        "locked": False,
        "disk_gb": 25,
        "last_action": 7,
        "region": "nyc1",
        "region_sizes": ["s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb", "c-2"],
        "sizes": {
            "s-1vcpu-1gb": offer(6, 25),
            "s-1vcpu-2gb": offer(12, 50),
            "s-2vcpu-2gb": offer(18, 60),
            "c-2": offer(42, 25),
        },
    }
    return {**facts, **changes}


def test_the_plan_is_one_step_up_the_ladder_with_the_vendors_prices() -> None:
    plan = plan_droplet_size(ASK, seen())
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("s-1vcpu-1gb", "s-1vcpu-2gb")
    assert (plan.price_before, plan.price_after) == (6.0, 12.0)
    assert plan.steps == ("snapshot", "resize", "verify")
    assert plan.wanted["last_action"] == 7


def test_without_the_vendors_prices_the_runbooks_are_used() -> None:
    plan = plan_droplet_size(ASK, seen(sizes={}))
    assert isinstance(plan, Plan)
    assert (plan.price_before, plan.price_after) == (6.0, 12.0)


@pytest.mark.parametrize(
    ("changes", "guard", "at_bound"),
    [
        ({"size": "c-2"}, "ladder_top", True),
        ({"size": "g-2vcpu-8gb"}, "ladder", False),
        ({"locked": True}, "droplet_busy", False),
        ({"status": "off"}, "droplet_status", False),
        ({"status": "archive"}, "droplet_status", False),
        ({"sizes": {"s-1vcpu-2gb": offer(12, 50, available=False)}}, "size_unavailable", False),
        ({"size": "s-2vcpu-2gb", "disk_gb": 60}, "disk", False),
        ({"region_sizes": ["s-1vcpu-1gb", "c-2"]}, "size_unavailable", True),
        ({"region_sizes": []}, "size_unavailable", True),
    ],
)
def test_what_holds_the_plan(changes: dict[str, Any], guard: str, at_bound: bool) -> None:
    held = plan_droplet_size(ASK, seen(**changes))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == (guard, at_bound)
    assert held.reason.endswith(".")


def test_a_size_that_is_not_sold_in_the_region_is_named_with_the_region() -> None:
    held = plan_droplet_size(ASK, seen(region_sizes=["c-2"]))
    assert isinstance(held, PlanHeld)
    assert "s-1vcpu-2gb is not sold in region nyc1" in held.reason


def test_a_vendor_that_does_not_say_what_its_region_sells_holds_nothing() -> None:
    assert isinstance(plan_droplet_size(ASK, seen(region_sizes=None)), Plan)


def test_a_disk_that_was_never_grown_fits_a_size_with_a_small_one() -> None:
    plan = plan_droplet_size(ASK, seen(size="s-2vcpu-2gb", disk_gb=25))
    assert isinstance(plan, Plan)
    assert plan.after == "c-2"


@pytest.mark.parametrize(
    ("at", "day"),
    [(1_782_863_999.0, "20260630"), (1_782_864_000.0, "20260701")],
    ids=["the last second of a day", "midnight in UTC"],
)
def test_a_snapshot_is_named_after_the_day_in_utc_and_the_run(at: float, day: str) -> None:
    assert snapshot_name("worker-vm.up.3", at) == f"pre-scale-{day}-worker-vm.up.3"


def test_a_target_of_another_kind_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="api"):
        plan_droplet_size(request_for("vertical_scale", API), seen())


@pytest.mark.parametrize(("disk_gb", "of"), [(25, "of its 25 GB disk"), (None, "of its disk")])
def test_the_plan_says_for_how_long_the_droplet_is_off(disk_gb: int | None, of: str) -> None:
    plan = plan_droplet_size(ASK, seen(disk_gb=disk_gb, sizes={}))
    assert isinstance(plan, Plan)
    assert plan.downtime.startswith("Droplet 101 is switched off for it, usually for 1 to 3 min")
    assert f"1 minute for each GB {of}" in plan.downtime
