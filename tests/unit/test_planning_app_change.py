from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.app_platform.change import PlannedChange
from service.ports.app_platform import ComponentHealth, Deployment

WANTED = {
    "app": "app-1",
    "component": "api",
    "after": {"instance_count": 3},
    "last_deployment": "dep-1",
    "planned_from": {"instance_count": 2, "instance_size_slug": "professional-xs"},
}
OLD_PLAN = {**WANTED, "key": "instance_count", "before": 2, "after": 3, "replicas": 3}
"""As a version stored it that changed one value at a time."""
OLDER_PLAN = {key: value for key, value in OLD_PLAN.items() if key != "planned_from"}
"""As a version stored it that wrote down only the value that it changes."""
BOTH = {**WANTED, "after": {"instance_count": 3, "instance_size_slug": "professional-s"}}


def spec(count: int | None, **more: Any) -> dict[str, Any]:
    counted = {} if count is None else {"instance_count": count}
    size = {"instance_size_slug": "professional-xs"}
    return {"services": [{"name": "api", **size, **counted, **more}]}


def deployments(**counts: int) -> list[Deployment]:
    """Newest first, as the vendor lists them."""
    return [
        Deployment(name.replace("_", "-"), "ACTIVE", None, "", spec(count))
        for name, count in counts.items()
    ]


def test_a_value_that_is_as_planned_may_be_set() -> None:
    change = PlannedChange.of(WANTED)
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
        (spec(2, instance_size_slug="m"), {"dep_1": 2}, "instance_size_slug was professional-xs"),
        (spec(2), {"dep_2": 2, "dep_1": 2}, "Deployment dep-2 of app app-1 is not ours"),
    ],
    ids=["another value", "gone", "autoscaled", "set and taken back", "size", "deployed since"],
)
def test_what_a_person_changed_since_is_not_overwritten(
    now: dict[str, Any], listed: dict[str, int], words: str
) -> None:
    conflict = PlannedChange.of(WANTED).conflict(now, deployments(**listed))
    assert conflict is not None
    assert words in conflict
    assert "instance_count of api was not set to 3." in conflict


def test_what_was_deployed_before_the_plan_is_nobodys_change_since() -> None:
    change = PlannedChange.of(WANTED)
    history = deployments(dep_1=2, dep_0=3)
    assert change.carrier(history) is None
    assert change.conflict(spec(2), history) is None


def test_our_deployment_is_the_newest_since_the_plan_with_the_value() -> None:
    change = PlannedChange.of(WANTED)
    assert change.carrier(deployments(dep_3=3, dep_2=3, dep_1=2)) == "dep-3"
    assert change.carrier(deployments(dep_3=2, dep_2=3, dep_1=2)) == "dep-2"


def test_without_a_deployment_before_the_plan_all_of_them_are_since() -> None:
    change = PlannedChange.of({**WANTED, "last_deployment": None})
    assert change.carrier(deployments(dep_0=3)) == "dep-0"


def test_the_replicas_needed_are_those_we_set_or_those_the_vendor_wants() -> None:
    health = ComponentHealth("api", desired=5, ready=0)
    assert PlannedChange.of(WANTED).needed(health) == 3
    size = {**WANTED, "after": {"instance_size_slug": "b"}}
    assert PlannedChange.of(size).needed(health) == 5
    assert PlannedChange.of(size).needed(ComponentHealth("api", 0, 0)) == 1


def test_where_the_vendor_decides_on_the_count_at_least_its_minimum_must_serve() -> None:
    scaled = {"instance_count": None, "autoscaling.min_instance_count": 3}
    change = PlannedChange.of({**WANTED, "after": scaled})
    assert change.needed(ComponentHealth("api", desired=1, ready=1)) == 3
    assert change.needed(ComponentHealth("api", desired=5, ready=1)) == 5
    assert (str(change), change.wanted) == (
        "instance_count and autoscaling of api",
        "none and min_instance_count 3",
    )


def test_a_plan_of_an_earlier_version_is_held_against_the_one_value_that_it_names() -> None:
    change = PlannedChange.of(OLDER_PLAN)
    assert change.conflict(spec(2, instance_size_slug="m"), deployments(dep_1=2)) is None
    assert "is 5 now" in str(change.conflict(spec(5), deployments(dep_1=2)))


def listed(**specs: dict[str, Any]) -> list[Deployment]:
    return [
        Deployment(name.replace("_", "-"), "ACTIVE", None, "", one) for name, one in specs.items()
    ]


@pytest.mark.parametrize("sent", ["dep-3", None], ids=["answered", "answer lost"])
@pytest.mark.parametrize(
    ("theirs", "lost"),
    [
        (spec(5, instance_size_slug="m"), "dep-2"),
        (spec(2, instance_size_slug="m"), "dep-2"),
        (spec(2) | {"workers": [{"name": "mailer"}]}, "dep-2"),
        (spec(None, autoscaling={"min_instance_count": 1}), "dep-2"),
        ({"services": []}, "dep-2"),
        (spec(2), None),
    ],
    ids=["count", "size", "another part", "autoscaling", "removed", "the same spec again"],
)
def test_a_deployment_that_our_write_replaced_unseen_is_found_if_something_of_it_is_lost(
    theirs: dict[str, Any], lost: str | None, sent: str | None
) -> None:
    deployments = listed(dep_3=spec(3), dep_2=theirs, dep_1=spec(2))
    assert PlannedChange.of(WANTED).overwritten(sent, deployments) == lost


def test_a_deployment_after_ours_has_lost_nothing() -> None:
    later = listed(dep_3=spec(3, instance_size_slug="m"), dep_2=spec(3), dep_1=spec(2))
    assert PlannedChange.of(WANTED).overwritten("dep-2", later) is None
    assert PlannedChange.of(WANTED).overwritten(None, later) is None


def test_our_deployment_right_after_the_plan_has_replaced_nothing_unseen() -> None:
    assert (
        PlannedChange.of(WANTED).overwritten("dep-2", listed(dep_2=spec(3), dep_1=spec(2))) is None
    )
    assert PlannedChange.of(WANTED).overwritten("dep-9", listed(dep_2=spec(3))) is None


def test_a_plan_of_a_version_that_changed_one_value_is_read_as_one_of_now() -> None:
    assert PlannedChange.of(OLD_PLAN) == PlannedChange.of(WANTED)


def test_two_values_are_there_only_when_both_are() -> None:
    change = PlannedChange.of(BOTH)
    assert not change.is_set_in(spec(3))
    assert change.is_set_in(spec(3, instance_size_slug="professional-s"))
    assert str(change) == "instance_count and instance_size_slug of api"
    assert (change.before, change.wanted) == ("2 and professional-xs", "3 and professional-s")


def test_a_person_who_changed_one_of_two_values_is_not_overwritten() -> None:
    now = spec(2, instance_size_slug="professional-m")
    conflict = PlannedChange.of(BOTH).conflict(now, deployments(dep_1=2))
    assert conflict is not None
    assert "instance_size_slug was professional-xs" in conflict
