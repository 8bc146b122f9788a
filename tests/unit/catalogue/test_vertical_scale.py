from __future__ import annotations

import pytest

from service.catalogue.vertical_scale import VerticalScale
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.errors import StepFailed
from service.domain.rules.rules import ActionName
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.droplets import FakeDroplets
from tests.fakes.runs import API, DATABASE, WORKER, ask_for, planned
from tests.fakes.telling import FakeProbe

ASK = ask_for(ActionName.VERTICAL_SCALE, API)


def cloud() -> tuple[FakeApps, FakeDroplets, VerticalScale]:
    clock = FakeClock()
    apps, droplets = FakeApps(clock), FakeDroplets(clock)
    return apps, droplets, VerticalScale(apps, droplets, FakeProbe(), clock)


def test_an_apps_instances_get_the_next_size_and_keep_their_count() -> None:
    apps, _, scaler = cloud()
    records = planned(scaler, ASK, apps.clock).execute()
    assert apps.running("api")["instance_size_slug"] == "professional-s"
    assert apps.running("api")["instance_count"] == 2
    assert records["verify"] == {"instance_size_slug": "professional-s", "ready": 2}


def test_native_autoscaling_does_not_hold_a_larger_size() -> None:
    apps, _, scaler = cloud()
    del apps.spec["services"][0]["instance_count"]
    apps.spec["services"][0]["autoscaling"] = {"min_instance_count": 2, "max_instance_count": 8}
    plan = scaler.plan(ASK, scaler.observe(ASK))
    assert isinstance(plan, Plan)
    assert (plan.before, plan.after) == ("professional-xs", "professional-s")
    assert plan.price_after is None


def test_a_size_that_a_person_set_since_is_not_overwritten() -> None:
    apps, _, scaler = cloud()
    run = planned(scaler, ASK, apps.clock)
    apps.spec["services"][0]["instance_size_slug"] = "professional-l"
    with pytest.raises(StepFailed, match=r"A person changed .* is professional-l now"):
        run.execute()
    assert apps.writes.sent == 0


def test_a_component_at_the_top_of_its_ladder_is_held_at_the_bound() -> None:
    apps, _, scaler = cloud()
    apps.spec["services"][0]["instance_size_slug"] = "professional-l"
    held = scaler.plan(ASK, scaler.observe(ASK))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == ("ladder_top", True)


def test_a_droplet_target_gets_the_droplets_steps_under_the_same_verb() -> None:
    apps, droplets, scaler = cloud()
    run = planned(scaler, ask_for(ActionName.VERTICAL_SCALE, WORKER), apps.clock)
    run.execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-2gb", "active")
    assert apps.writes.sent == 0


def test_every_step_that_a_plan_names_exists() -> None:
    _, _, scaler = cloud()
    for target in (API, WORKER):
        ask = ask_for(ActionName.VERTICAL_SCALE, target)
        plan = scaler.plan(ask, scaler.observe(ask))
        assert isinstance(plan, Plan)
        assert set(plan.steps) <= set(scaler.steps())
        assert plan.steps[-1] == "verify"
        assert len(plan.steps) == 3


def test_another_kind_of_target_is_refused() -> None:
    _, _, scaler = cloud()
    with pytest.raises(StepFailed, match="database is a supabase"):
        scaler.observe(ask_for(ActionName.VERTICAL_SCALE, DATABASE))


def test_making_safe_goes_by_the_kind_of_target() -> None:
    apps, _, scaler = cloud()
    ask = ask_for(ActionName.VERTICAL_SCALE, WORKER)
    run = planned(scaler, ask, apps.clock)
    assert scaler.make_safe(run.context, ask, run.plan) == "Droplet 101 is on at s-1vcpu-1gb."
    app = planned(scaler, ASK, apps.clock)
    assert "nothing was taken away" in scaler.make_safe(app.context, ASK, app.plan)
