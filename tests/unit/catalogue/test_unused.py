"""What is listed as unused, and what never is."""

from __future__ import annotations

from decimal import Decimal

from service.catalogue.unused import NEWEST, unused
from service.ports.bills import Resource

D = Decimal
NOW = 1_795_000_000.0
DAY = 86_400.0


def names(*resources: Resource) -> dict[str, Decimal | None]:
    return {each.resource.name: each.month for each in unused(resources, NOW)}


def test_each_kind_that_nobody_uses_is_listed_with_its_price() -> None:
    old = {"since": NOW - 30 * DAY, "used": False}
    found = names(
        Resource("volume", "1", "data", gigabytes=D(100), **old),  # type: ignore[arg-type]
        Resource("reserved IP", "192.0.2.7", "192.0.2.7", used=False),
        Resource("load balancer", "2", "edge", **old),  # type: ignore[arg-type]
        Resource("droplet", "3", "old", "s-1vcpu-1gb", month=D(6), **old),  # type: ignore[arg-type]
    )
    assert found == {"data": D("10.00"), "192.0.2.7": D("5.00"), "edge": D("12.00"), "old": D(6)}


def test_what_is_used_young_or_tagged_keep_is_not_listed() -> None:
    made = NOW - 30 * DAY
    assert (
        names(
            Resource("volume", "1", "used", gigabytes=D(1), since=made),
            Resource("volume", "2", "young", gigabytes=D(1), since=NOW - 13 * DAY, used=False),
            Resource("volume", "3", "kept", gigabytes=D(1), since=made, used=False, tags=("keep",)),
            Resource("droplet", "4", "just off", since=NOW - 6 * DAY, used=False),
            Resource("app", "5", "api", used=False),
        )
        == {}
    )


def test_snapshots_beyond_the_newest_of_each_owner_are_listed_and_never_those_of_runs() -> None:
    def snapshot(name: str, days: int, of: str = "droplet 101") -> Resource:
        size = D("2.5")
        return Resource("snapshot", name, name, gigabytes=size, since=NOW - days * DAY, of=of)

    found = names(
        *(snapshot(f"s{days}", days) for days in range(1, NEWEST + 3)),
        snapshot("other", 99, of="volume 7"),
        snapshot("pre-scale-20261101-vm.up.1", 500),
    )
    assert found == {"s4": D("0.150"), "s5": D("0.150")}
