"""DigitalOcean's bill on the sandbox, and which run tells of a threshold of the budget."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.catalogue.costs import line_of
from service.domain.costs.costs import Line
from service.domain.errors import FailureKind, VendorError
from service.ports.bills import Bills, BudgetNotices, Inventory, Resource
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_bill import DigitalOceanBills
from service.store.costs import BudgetNoticeStore
from tests.fakes.costs import FakeBills, FakeBudgetNotices
from tests.unit.sandbox.support import TOKEN, Served, served

D = Decimal
NOW = 1_795_000_000.0


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


@pytest.fixture
def account(sandbox: Served) -> DigitalOceanBills:
    endpoint = f"{sandbox.url}/digitalocean"
    return DigitalOceanBills(DigitalOceanClient(token=TOKEN, endpoint=endpoint))


def control(sandbox: Served, path: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/_sandbox/{path}", json=body, trust_env=False)


def lines(account: DigitalOceanBills) -> dict[tuple[str, str], Line]:
    found = account.inventory()
    assert found.unread == ()
    return {(each.kind, each.name): line_of(account.seller, each) for each in found.resources}


def test_the_balance_is_read_exactly_as_the_vendor_writes_it(
    sandbox: Served, account: DigitalOceanBills
) -> None:
    control(sandbox, "billing", month_to_date_usage="123.45")
    booked = account.booked()
    assert (booked.seller, booked.dollars, booked.why) == ("DigitalOcean", D("123.45"), "")
    assert booked.at.endswith("T00:00:00Z")


@pytest.mark.parametrize("said", [None, "", "n/a"])
def test_a_balance_without_a_number_is_unknown_and_not_zero(
    sandbox: Served, account: DigitalOceanBills, said: str | None
) -> None:
    control(sandbox, "billing", month_to_date_usage=said)
    booked = account.booked()
    assert booked.dollars is None
    assert "names no number as month_to_date_usage" in booked.why


def test_everything_that_is_billed_is_listed_with_its_price(
    sandbox: Served, account: DigitalOceanBills
) -> None:
    control(
        sandbox,
        "billing",
        volumes=[{"name": "data", "gb": 50, "attached": True}, {"name": "old", "gb": 100}],
        snapshots=[{"name": "before", "gb": 2.5}],
        reserved_ips=[{"ip": "192.0.2.7"}, {"ip": "192.0.2.8", "assigned": True}],
        load_balancers=[{"name": "edge", "nodes": 2}],
    )
    found = lines(account)
    assert {
        key: each.month for key, each in found.items() if key[0] not in ("app", "database")
    } == {
        ("droplet", "quizmentor-worker"): D("6.0"),
        ("volume", "data"): D("5.00"),
        ("volume", "old"): D("10.00"),
        ("snapshot", "before"): D("0.150"),
        ("reserved IP", "192.0.2.7"): D("5.00"),
        ("reserved IP", "192.0.2.8"): D(0),
        ("load balancer", "edge"): D("24.00"),
    }
    assert found["droplet", "quizmentor-worker"].hour == D("0.00893")
    assert found["database", "quizmentor-cache (valkey)"].month == D("15.0")
    assert found["app", "quizmentor api"].month
    used = {each.name: each.used for each in account.inventory().resources}
    assert (used["data"], used["old"], used["edge"]) == (True, False, False)


def test_a_list_of_more_than_one_page_is_read_whole(
    sandbox: Served, account: DigitalOceanBills
) -> None:
    volumes = [{"name": f"v{number}", "gb": 1} for number in range(230)]
    assert control(sandbox, "billing", volumes=volumes).is_success
    assert sum(each.kind == "volume" for each in account.inventory().resources) == 230


def test_a_list_that_cannot_be_read_is_told_and_hides_no_other(
    sandbox: Served, account: DigitalOceanBills
) -> None:
    control(sandbox, "billing", volumes=[{"name": "data", "gb": 50}])
    fault = {"vendor": "digitalocean", "path": "/v2/load_balancers", "status": 403}
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json=fault, trust_env=False)
    assert answer.is_success, answer.text
    found = account.inventory()
    (unread,) = found.unread
    assert unread.startswith("load balancers: DigitalOcean answered 403")
    assert "load_balancer:read" in unread
    assert any(each.name == "data" for each in found.resources)


def test_the_prices_of_another_engine_are_not_known_here() -> None:
    strange = Resource("database", "1", "main (pg)", "db-s-1vcpu-1gb")
    assert line_of("DigitalOcean", strange).month is None
    unheard = Resource("app", "1", "api", "apps-next-year", 2)
    assert line_of("DigitalOcean", unheard).month is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"volumes": "x"},
        {"volumes": [{"gb": 1}]},
        {"volumes": [{"name": "x", "gb": 0}]},
        {"snapshots": [{"name": "x", "gb": 1, "of": "moon"}]},
        {"month_to_date_usage": 12},
        {"invoices": []},
    ],
)
def test_the_sandbox_refuses_an_account_that_makes_no_sense(
    sandbox: Served, body: dict[str, Any]
) -> None:
    assert control(sandbox, "billing", **body).status_code == 422


@pytest.fixture(params=["fake", "sandbox"])
def bills(request: pytest.FixtureRequest, sandbox: Served, account: DigitalOceanBills) -> Bills:
    """An account that has booked $12.50 and has one droplet, at $6 a month."""
    if request.param == "fake":
        droplet = Resource("droplet", "101", "quizmentor-worker", "s-1vcpu-1gb", month=D("6.0"))
        return FakeBills(D("12.50"), (droplet,))
    control(sandbox, "billing", month_to_date_usage="12.50")
    return account


def test_fake_and_sandbox_tell_bill_and_inventory_alike(bills: Bills) -> None:
    assert bills.seller == "DigitalOcean"
    assert bills.booked().dollars == D("12.50")
    inventory = bills.inventory()
    assert isinstance(inventory, Inventory)
    (droplet,) = [each for each in inventory.resources if each.kind == "droplet"]
    assert (droplet.name, droplet.size, droplet.month) == (
        "quizmentor-worker",
        "s-1vcpu-1gb",
        D("6.0"),
    )


def test_a_vendor_that_is_down_raises_for_the_bill(sandbox: Served) -> None:
    down = DigitalOceanBills(DigitalOceanClient(token=TOKEN, endpoint="http://127.0.0.1:1"))
    error = VendorError("digitalocean", "x", FailureKind.TEMPORARY, "down")
    for account in (down, FakeBills(error=error)):
        with pytest.raises(VendorError):
            account.booked()


@pytest.fixture(params=["fake", "sql"])
def notices(request: pytest.FixtureRequest, engine: sa.Engine) -> BudgetNotices:
    return FakeBudgetNotices() if request.param == "fake" else BudgetNoticeStore(engine)


def test_one_run_tells_of_a_threshold_in_a_month_however_often_it_asks(
    notices: BudgetNotices,
) -> None:
    assert notices.take("2026-11", 80, "cost-monitor.job.1", NOW)
    assert notices.take("2026-11", 80, "cost-monitor.job.1", NOW + 60)
    assert not notices.take("2026-11", 80, "cost-monitor.job.2", NOW)
    assert notices.take("2026-11", 100, "cost-monitor.job.2", NOW)
    assert notices.take("2026-12", 80, "cost-monitor.job.2", NOW)


def test_of_many_runs_at_once_one_tells(engine: sa.Engine) -> None:
    store = BudgetNoticeStore(engine)
    with ThreadPoolExecutor(8) as pool:
        runs = [f"r.job.{number}" for number in range(8)]
        told = list(pool.map(lambda run: store.take("2026-11", 120, run, NOW), runs))
    assert told.count(True) == 1
