from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.errors import StepFailed
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.droplets import FakeDroplets
from tests.fakes.runs import API, WORKER, Works, planned, request_for, works_on

ASK = request_for("vertical_scale", API)


def cloud() -> tuple[FakeApps, FakeDroplets, Works]:
    clock = FakeClock()
    apps, droplets = FakeApps(clock), FakeDroplets(clock)
    return apps, droplets, works_on(clock, apps=apps, droplets=droplets)


def test_an_apps_instances_get_the_next_size_and_keep_their_count() -> None:
    apps, _, works = cloud()
    records = planned(works, ASK, apps.clock).execute()
    assert apps.running("api")["instance_size_slug"] == "professional-s"
    assert apps.running("api")["instance_count"] == 2
    assert records["verify"] == {"instance_size_slug": "professional-s", "ready": 2}


def test_a_count_and_a_size_are_one_write_and_one_deployment() -> None:
    apps, _, works = cloud()
    both = replace(ASK, wanted=(Wanted("replicas", to=4), Wanted("size", by=1)))
    records = planned(works, both, apps.clock).execute()
    assert apps.writes.sent == 1
    assert records["verify"] == {
        "instance_count": 4,
        "instance_size_slug": "professional-s",
        "ready": 4,
    }


def test_less_is_taken_down_in_the_same_steps() -> None:
    apps, droplets, works = cloud()
    droplets.size = "s-2vcpu-2gb"
    down = replace(request_for("vertical_scale", WORKER), wanted=(Wanted("size", by=-1),))
    planned(works, down, apps.clock).execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")


def test_native_autoscaling_does_not_hold_a_larger_size() -> None:
    apps, _, works = cloud()
    del apps.spec["services"][0]["instance_count"]
    apps.spec["services"][0]["autoscaling"] = {"min_instance_count": 2, "max_instance_count": 8}
    plan = works.plan(ASK)
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("professional-xs", "professional-s")
    assert plan.price_after == 200.0, "at most 8 of them"


def test_a_size_that_a_person_set_since_is_not_overwritten() -> None:
    apps, _, works = cloud()
    run = planned(works, ASK, apps.clock)
    apps.spec["services"][0]["instance_size_slug"] = "professional-l"
    with pytest.raises(StepFailed, match=r"A person changed .* is professional-l now"):
        run.execute()
    assert apps.writes.sent == 0


def test_a_component_at_the_top_of_its_ladder_is_held_at_the_bound() -> None:
    apps, _, works = cloud()
    apps.spec["services"][0]["instance_size_slug"] = "professional-l"
    held = works.plan(ASK)
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == ("ladder_top", True)


def test_a_droplet_target_gets_the_droplets_steps_under_the_same_verb() -> None:
    apps, droplets, works = cloud()
    run = planned(works, request_for("vertical_scale", WORKER), apps.clock)
    run.execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")
    assert apps.writes.sent == 0


def test_every_step_that_a_plan_names_exists() -> None:
    _, _, works = cloud()
    for target in (API, WORKER):
        request = request_for("vertical_scale", target)
        plan = works.plan(request)
        assert isinstance(plan, Plan)
        assert set(plan.steps) <= set(works.steps(request))
        assert plan.steps[-1] == "verify"
        assert len(plan.steps) == 3


def test_making_safe_goes_by_the_kind_of_target() -> None:
    apps, _, works = cloud()
    request = request_for("vertical_scale", WORKER)
    run = planned(works, request, apps.clock)
    assert works.make_safe(run.context, request, run.plan) == "Droplet 101 is on at s-1vcpu-1gb."
    app = planned(works, ASK, apps.clock)
    assert "nothing was taken away" in works.make_safe(app.context, ASK, app.plan)
