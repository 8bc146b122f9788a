from __future__ import annotations

from typing import Any

import pytest

from service.domain.app_change import PlannedValue
from service.domain.observation import ComponentHealth, Deployment

WANTED = {
    "app": "app-1",
    "component": "api",
    "key": "instance_count",
    "before": 2,
    "after": 3,
    "last_deployment": "dep-1",
    "replicas": 3,
}


def spec(count: int | None, **more: Any) -> dict[str, Any]:
    counted = {} if count is None else {"instance_count": count}
    return {"services": [{"name": "api", **counted, **more}]}


def deployments(**counts: int) -> list[Deployment]:
    """Newest first, as the vendor lists them."""
    return [
        Deployment(name.replace("_", "-"), "ACTIVE", None, "", spec(count))
        for name, count in counts.items()
    ]


def test_a_value_that_is_as_planned_may_be_set() -> None:
    change = PlannedValue.of(WANTED)
    assert change.conflict(spec(2), deployments(dep_1=2)) is None
    assert not change.is_set_in(spec(2))
    assert change.is_set_in(spec(3))


@pytest.mark.parametrize(
    ("now", "listed", "words"),
    [
        (spec(5), {"dep_1": 2}, "is 5 now"),
        ({"services": []}, {"dep_1": 2}, "is gone or scaled by the vendor itself"),
        (spec(None, autoscaling={"min_instance_count": 1}), {"dep_1": 2}, "scaled by the vendor"),
        (spec(2), {"dep_3": 2, "dep_2": 3, "dep_1": 2}, "after deployment dep-2 had set it"),
    ],
    ids=["another value", "gone", "autoscaled", "set and taken back"],
)
def test_what_a_person_changed_since_is_not_overwritten(
    now: dict[str, Any], listed: dict[str, int], words: str
) -> None:
    conflict = PlannedValue.of(WANTED).conflict(now, deployments(**listed))
    assert conflict is not None
    assert words in conflict
    assert "3 was not set" in conflict


def test_what_was_deployed_before_the_plan_is_nobodys_change_since() -> None:
    change = PlannedValue.of(WANTED)
    history = deployments(dep_1=2, dep_0=3)
    assert change.carrier(history) is None
    assert change.conflict(spec(2), history) is None


def test_our_deployment_is_the_newest_since_the_plan_with_the_value() -> None:
    change = PlannedValue.of(WANTED)
    assert change.carrier(deployments(dep_3=3, dep_2=3, dep_1=2)) == "dep-3"
    assert change.carrier(deployments(dep_3=2, dep_2=3, dep_1=2)) == "dep-2"


def test_without_a_deployment_before_the_plan_all_of_them_are_since() -> None:
    change = PlannedValue.of({**WANTED, "last_deployment": None})
    assert change.carrier(deployments(dep_0=3)) == "dep-0"


def test_the_replicas_needed_are_those_we_set_or_those_the_vendor_wants() -> None:
    health = ComponentHealth("api", desired=5, ready=0)
    assert PlannedValue.of(WANTED).needed(health) == 3
    size = {**WANTED, "key": "instance_size_slug", "before": "a", "after": "b"}
    assert PlannedValue.of(size).needed(health) == 5
    assert PlannedValue.of(size).needed(ComponentHealth("api", 0, 0)) == 1
