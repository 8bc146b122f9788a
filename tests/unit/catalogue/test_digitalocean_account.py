"""Removing what is unused: plans as tables, and steps on an account in memory."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from service.catalogue.digitalocean_account.kind import KIND
from service.catalogue.digitalocean_account.steps import snapshot_name
from service.catalogue.digitalocean_account.target import AccountTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from service.ports.bills import ADDRESS, BALANCER, DROPLET, SNAPSHOT, VOLUME, Resource
from tests.fakes.accounts import FakeAccount
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.runs import FakeRun, planned, request_for, works_on

ACCOUNT = AccountTarget("account", keep=("archive",))


def remove(**options: Any) -> Request:
    return request_for("remove_unused", ACCOUNT, options=options)


class Stand:
    """An account with a volume of 100 GB that nobody uses."""

    def __init__(self) -> None:
        self.fake = FakeAccount(FakeClock())
        self.fake.add(VOLUME, "v1", name="data", gigabytes=Decimal(100))
        self.works = works_on(self.fake.clock, account=self.fake)

    def planned_ids(self, **options: Any) -> list[str]:
        plan = self.works.plan(remove(**options))
        return [each["id"] for each in plan.wanted["items"]] if isinstance(plan, Plan) else []

    def plan(self, **options: Any) -> Plan:
        plan = self.works.plan(remove(**options))
        assert isinstance(plan, Plan), plan
        return plan

    def held(self, **options: Any) -> PlanHeld:
        plan = self.works.plan(remove(**options))
        assert isinstance(plan, PlanHeld), plan
        return plan

    def run(self, **options: Any) -> FakeRun:
        return planned(self.works, remove(**options), self.fake.clock)


def test_a_plan_names_each_thing_with_its_dollars_and_says_what_is_left_of_it() -> None:
    stand = Stand()
    stand.fake.add(BALANCER, "b1", name="edge", count=2)
    plan = stand.plan()
    assert plan.change == (
        "unused load balancer edge (b1) $24.00 a month, volume data (v1) $10.00 a month → removed"
    )
    assert plan.steps == ("remove_1", "snapshot_2", "remove_2", "verify")
    # The snapshot of the volume stays: 100 GB at $0.06.
    assert (plan.price_before, plan.price_after) == (34.0, 6.0)
    assert "A snapshot of data is taken first and stays" in plan.downtime
    assert "Undo: none for load balancer edge (b1): nothing is left of it." in plan.downtime


def test_a_plan_always_asks_a_person() -> None:
    assert Stand().plan().asks == (
        "what is removed does not come back by itself, so a person reads the list first"
    )


def test_what_makes_another_list_makes_another_plan_to_approve() -> None:
    stand = Stand()
    first = stand.plan()
    stand.fake.add(BALANCER, "b1")
    assert stand.plan().before != first.before


LEFT: list[tuple[str, Callable[[FakeAccount], Resource]]] = [
    ("used", lambda fake: fake.add(VOLUME, "x", used=True)),
    ("young", lambda fake: fake.add(VOLUME, "x", days=29)),
    ("of no known age", lambda fake: fake.add(BALANCER, "x", since=0.0)),
    ("tagged keep", lambda fake: fake.add(DROPLET, "x", month=Decimal(6), tags=("keep",))),
    ("tagged as the file says", lambda fake: fake.add(VOLUME, "x", tags=("archive",))),
    ("of Kubernetes", lambda fake: fake.add(VOLUME, "x", tags=("k8s:77",))),
    ("a target of the rules", lambda fake: fake.add(DROPLET, "101", month=Decimal(6))),
    ("busy", lambda fake: fake.add(DROPLET, "x", month=Decimal(6), busy=True)),
    ("an address that nobody named", lambda fake: fake.add(ADDRESS, "192.0.2.7")),
    ("a new snapshot", lambda fake: fake.add(SNAPSHOT, "x", of="volume 1")),
    ("of a kind that costs by use", lambda fake: fake.add("app", "x")),
]


@pytest.mark.parametrize(("why", "lies"), LEFT, ids=[why for why, _ in LEFT])
def test_what_is_not_surely_unused_is_left(
    why: str, lies: Callable[[FakeAccount], Resource]
) -> None:
    stand = Stand()
    lies(stand.fake)
    assert stand.planned_ids() == ["v1"]


@pytest.mark.parametrize("prefix", ["pre-scale-", "pre-delete-"])
def test_a_snapshot_that_a_run_has_taken_is_never_removed(prefix: str) -> None:
    stand = Stand()
    for number in range(6):
        stand.fake.add(
            SNAPSHOT, str(number), 100 + number, name=f"{prefix}{number}", of="droplet 7"
        )
    assert stand.planned_ids(kinds=["snapshots"]) == []


def test_snapshots_beyond_the_newest_of_each_owner_are_removed() -> None:
    stand = Stand()
    for number in range(1, 5):
        stand.fake.add(SNAPSHOT, f"s{number}", 100 + number, of="droplet 7", gigabytes=Decimal(10))
    assert stand.planned_ids(kinds=["snapshots"]) == ["s4"]
    assert stand.planned_ids(kinds=["snapshots"], newest=1) == ["s2", "s3", "s4"]


def test_an_address_is_removed_where_the_options_name_the_kind() -> None:
    stand = Stand()
    stand.fake.add(ADDRESS, "192.0.2.7", name="192.0.2.7", since=0.0)
    assert stand.planned_ids(kinds=["reserved_ips"]) == ["192.0.2.7"]


def test_one_run_removes_as_many_as_the_options_say_and_tells_of_the_others() -> None:
    stand = Stand()
    for number in range(8):
        stand.fake.add(BALANCER, f"b{number}")
    assert stand.planned_ids(most=2) == ["b0", "b1"]
    assert "7 more are unused" in stand.plan(most=2).downtime


def test_what_costs_nobody_knows_how_much_is_held() -> None:
    stand = Stand()
    stand.fake.add(DROPLET, "7", name="old")
    assert stand.held(kinds=["droplets"]).guard == "no_price"


def test_where_nothing_is_unused_nothing_is_asked() -> None:
    assert Stand().held(kinds=["droplets"]).guard == "already_there"


def test_a_worker_that_could_not_read_the_rules_removes_nothing() -> None:
    stand = Stand()
    held = KIND.plan(remove(), {**stand.works.observe(remove()), "needed": None})
    assert isinstance(held, PlanHeld)
    assert held.guard == "rules_unread"


def test_each_thing_is_removed_after_its_snapshot() -> None:
    stand = Stand()
    run = stand.run()
    records = run.execute()
    name = snapshot_name(run.request.id, {"id": "v1"})
    assert records["remove_1"] == {"removed": "v1", "snapshot": name}
    assert [each.name for each in stand.fake.listed(SNAPSHOT)] == [name]
    assert stand.fake.listed(VOLUME) == ()
    assert run.context.told == [f"Removed volume data (v1); its snapshot is {name}."]


@pytest.mark.parametrize("change", [{"used": True}, {"tags": ("keep",)}, {"busy": True}])
@pytest.mark.parametrize("step", ["snapshot_1", "remove_1"])
def test_what_is_used_or_kept_by_then_is_left_and_the_intent_is_withdrawn(
    step: str, change: dict[str, Any]
) -> None:
    stand = Stand()
    run = stand.run()
    if step == "remove_1":
        run.step("snapshot_1")
    stand.fake.change("v1", **change)
    with pytest.raises(TargetChanged, match=r"volume data \(v1\) is not unused any more"):
        run.step(step)
    assert "v1" in stand.fake.ids()
    assert step not in run.intents


def test_nothing_is_removed_whose_snapshot_is_gone() -> None:
    stand = Stand()
    run = stand.run()
    run.step("snapshot_1")
    stand.fake.things = [each for each in stand.fake.things if each.kind != SNAPSHOT]
    with pytest.raises(StepFailed, match="is not there any more, so it was not removed"):
        run.step("remove_1")
    assert stand.fake.ids(VOLUME) == ["v1"]


def test_a_snapshot_that_never_comes_fails_and_nothing_is_removed() -> None:
    stand = Stand()
    stand.fake.add(DROPLET, "7", name="old", month=Decimal(6), disk_gb=25)
    stand.fake.takes_s = 1e9
    run = stand.run(kinds=["droplets"])
    with pytest.raises(StepFailed, match=r"is listed after 75 minutes\. It was not removed"):
        run.execute()
    assert stand.fake.ids(DROPLET) == ["7"]


def test_a_refusal_of_the_vendor_ends_it_and_says_what_is_left() -> None:
    stand = Stand()
    stand.fake.add(BALANCER, "b1", name="edge")
    stand.fake.writes.before[2] = vendor_error(FailureKind.PERMANENT)
    run = stand.run()
    with pytest.raises(VendorError):
        run.execute()
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert said == "Gone: load balancer edge (b1). Left as it was: volume data (v1)."


def test_what_somebody_else_has_removed_meanwhile_counts_as_removed() -> None:
    stand = Stand()
    run = stand.run()
    run.step("snapshot_1")
    stand.fake.things = [each for each in stand.fake.things if each.id != "v1"]
    run.execute()
    assert stand.fake.writes.effective == ["snapshot v1"]
