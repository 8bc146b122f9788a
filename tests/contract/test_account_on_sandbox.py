"""The account of DigitalOcean on the sandbox: what is listed, kept as a snapshot, and deleted. The
fake does the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from service.bootstrap.vendors import PORTS, Vendors
from service.catalogue.digitalocean_account.kind import KIND
from service.catalogue.digitalocean_account.target import AccountTarget
from service.domain.errors import FailureKind, VendorError
from service.ports.bills import ADDRESS, BALANCER, DROPLET, SNAPSHOT, VOLUME
from service.ports.digitalocean_account import Account
from service.settings import load_settings
from tests.fakes.accounts import FakeAccount
from tests.fakes.clock import FakeClock
from tests.unit.sandbox.support import Served, served

PATIENCE_S = 60.0


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        old = {"days": 60}
        assert control(
            one,
            volumes=[
                {"name": "data", "gb": 100, **old},
                {"name": "live", "gb": 1, "attached": True},
            ],
            snapshots=[{"name": "s", "gb": 5, "of": "volume", "resource": "v", **old}],
            reserved_ips=[{"ip": "192.0.2.7"}],
            load_balancers=[{"name": "edge", "nodes": 1, **old}],
            droplets=[{"name": "old", "off": True, "tags": ["web"], **old}],
        ).is_success
        yield one


@pytest.fixture
def account(sandbox: Served) -> Account:
    made: Account = PORTS[KIND.name].build(Vendors(load_settings({"SANDBOX_URL": sandbox.url})))
    return made


@pytest.fixture
def fake() -> Account:
    made = FakeAccount(FakeClock(), takes_s=0.0)
    made.add(VOLUME, "v1", name="data", gigabytes=Decimal(100))
    made.add(SNAPSHOT, "s1", name="s", of="volume v")
    made.add(ADDRESS, "192.0.2.7", name="192.0.2.7")
    made.add(BALANCER, "b1", name="edge")
    made.add(DROPLET, "d1", name="old", tags=("web",))
    return made


@pytest.fixture(params=["account", "fake"])
def either(request: pytest.FixtureRequest) -> Account:
    made: Account = request.getfixturevalue(request.param)
    return made


def control(sandbox: Served, **body: Any) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/_sandbox/billing", json=body, trust_env=False)


def named(account: Account, kind: str, name: str) -> list[str]:
    return [each.id for each in account.listed(kind) if each.name == name]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (VOLUME, "data"),
        (SNAPSHOT, "s"),
        (ADDRESS, "192.0.2.7"),
        (BALANCER, "edge"),
        (DROPLET, "old"),
    ],
)
def test_what_is_deleted_is_not_listed_any_more_and_deleting_it_again_does_nothing(
    either: Account, kind: str, name: str
) -> None:
    (id_,) = named(either, kind, name)
    others = {each.id for each in either.listed(kind)} - {id_}
    either.delete(kind, id_)
    assert {each.id for each in either.listed(kind)} == others
    either.delete(kind, id_)


def test_a_snapshot_of_a_volume_outlives_it(either: Account) -> None:
    (id_,) = named(either, VOLUME, "data")
    either.take_snapshot(VOLUME, id_, "pre-delete-data")
    either.delete(VOLUME, id_)
    (kept,) = [each for each in either.listed(SNAPSHOT) if each.name == "pre-delete-data"]
    assert (kept.of, kept.gigabytes) == (f"volume {id_}", Decimal(100))


def test_a_snapshot_of_a_droplet_outlives_it_and_it_is_busy_until_then(either: Account) -> None:
    (id_,) = named(either, DROPLET, "old")
    either.take_snapshot(DROPLET, id_, "pre-delete-old")
    until = time.monotonic() + PATIENCE_S
    while not named(either, SNAPSHOT, "pre-delete-old"):
        assert time.monotonic() < until
    (droplet,) = [each for each in either.listed(DROPLET) if each.id == id_]
    assert not droplet.busy
    assert not droplet.used
    assert droplet.tags == ("web",)
    either.delete(DROPLET, id_)
    assert named(either, SNAPSHOT, "pre-delete-old")


def test_a_volume_takes_one_snapshot_in_ten_minutes_and_says_to_wait(account: Account) -> None:
    (id_,) = named(account, VOLUME, "data")
    account.take_snapshot(VOLUME, id_, "first")
    with pytest.raises(VendorError) as refused:
        account.take_snapshot(VOLUME, id_, "second")
    assert refused.value.kind is FailureKind.TEMPORARY


def test_a_volume_that_is_attached_is_not_deleted(account: Account) -> None:
    (id_,) = named(account, VOLUME, "live")
    with pytest.raises(VendorError, match="attached to a droplet"):
        account.delete(VOLUME, id_)
    assert named(account, VOLUME, "live") == [id_]


def test_doctor_counts_what_the_account_lists(account: Account) -> None:
    said = KIND.look(account, AccountTarget("account", ("archive",)))
    assert said == (
        "the account lists 2 of kind volume, 1 of kind snapshot, 1 of kind reserved IP, 1 of kind "
        "load balancer, 2 of kind droplet; nothing with the tag keep or archive is removed"
    )
