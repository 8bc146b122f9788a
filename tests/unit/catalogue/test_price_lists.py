"""What a size costs: by the vendor, by a list that was kept, or by the documents."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.catalogue.app_platform.steps import AppChange
from service.catalogue.droplet.plan import plan_droplet_size
from service.catalogue.droplet.steps import DropletResize
from service.catalogue.droplet.target import PRICES as OF_DROPLETS
from service.catalogue.prices import Kept, PriceList, load_kept
from service.catalogue.registry import KINDS, kind_spec
from service.catalogue.spec import Tools
from service.catalogue.steps.price_lists import FRESH_S, ask_prices, told_prices
from service.catalogue.steps.timings import Timings
from service.catalogue.supabase.steps import ComputeResize
from service.domain.decisions.planning import Plan
from service.domain.errors import FailureKind, VendorError
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.droplets import FakeDroplets
from tests.fakes.faults import vendor_error
from tests.fakes.notes import FakeNotes
from tests.fakes.runs import API, DATABASE, WORKER, request_for
from tests.fakes.telling import FakeProbe

PRICES = PriceList(
    "Vendor", {"small": 5.0, "large": 9.0}, documented_in="2026-11", note="prices.vendor"
)
LIST = {"small": {"price_monthly": 6.0}, "large": {"price_monthly": 10.0}}
AWAY = vendor_error(FailureKind.TEMPORARY)


@dataclass
class Vendor:
    """Answers with its list, unless it is away."""

    away: VendorError | None = None
    sizes: dict[str, Any] = field(default_factory=lambda: dict(LIST))
    asked: int = 0

    def __call__(self) -> dict[str, Any]:
        self.asked += 1
        if self.away is not None:
            raise copy(self.away)
        return self.sizes


@pytest.fixture
def tools() -> Tools:
    return Tools(FakeProbe(), FakeClock(), notes=FakeNotes())


def test_the_list_of_now_needs_no_word_where_it_is_from(tools: Tools) -> None:
    observed = ask_prices(PRICES, Vendor(), tools)
    assert PRICES.price(observed, "small") == 6.0
    assert PRICES.source(observed, "small", "large") == ""


def test_a_list_is_written_again_once_a_day_or_when_it_says_something_else(tools: Tools) -> None:
    vendor, notes = Vendor(), tools.notes
    assert isinstance(notes, FakeNotes)
    for _ in range(3):
        ask_prices(PRICES, vendor, tools)
    assert (vendor.asked, notes.puts) == (3, 1)
    vendor.sizes["small"] = {"price_monthly": 7.0}
    ask_prices(PRICES, vendor, tools)
    assert notes.puts == 2
    tools.clock.sleep(FRESH_S)
    ask_prices(PRICES, vendor, tools)
    assert notes.puts == 3


def test_a_vendor_that_is_away_leaves_the_list_that_was_kept_and_its_day(tools: Tools) -> None:
    vendor = Vendor()
    ask_prices(PRICES, vendor, tools)
    vendor.away = AWAY
    observed = ask_prices(PRICES, vendor, tools)
    assert PRICES.price(observed, "small") == 6.0
    assert PRICES.source(observed, "small").startswith("Vendor's list of 2026-")


def test_without_a_list_the_documented_prices_stand_in_and_say_why(tools: Tools) -> None:
    away = ask_prices(PRICES, Vendor(away=AWAY), tools)
    assert PRICES.price(away, "small") == 5.0
    assert PRICES.source(away, "small") == (
        "Vendor's documented prices of 2026-11, because it could not be asked"
    )
    silent = told_prices(PRICES, {}, tools)
    assert PRICES.source(silent, "small") == (
        "Vendor's documented prices of 2026-11, because it does not name them"
    )
    one = told_prices(PRICES, {"small": LIST["small"]}, tools)
    assert PRICES.source(one, "small") == ""
    assert PRICES.source(one, "small", "large").endswith("because it does not name them")
    assert PRICES.source(one, "unheard-of") == "", "there is no price to tell the source of"


def test_a_list_of_another_version_is_as_good_as_none(tools: Tools) -> None:
    assert load_kept(Kept(5.0, LIST).dump()) == Kept(5.0, LIST)
    assert load_kept(Kept(5.0, LIST).dump().replace('"version": 1', '"version": 2')) is None
    assert load_kept("") is None


def test_a_vendor_that_hangs_holds_a_run_no_longer_than_its_bound() -> None:
    assert Timings().price_list_s == 10.0
    tools = Tools(FakeProbe(), FakeClock(), Timings(price_list_s=0.05), FakeNotes())
    go_on, began = threading.Event(), threading.Event()

    def hang() -> dict[str, Any]:
        began.set()
        go_on.wait(60)
        return LIST

    try:
        observed = ask_prices(PRICES, hang, tools)
    finally:
        go_on.set()
    assert began.is_set()
    assert observed == {"sizes": {}, "source": PRICES.stand_in("it could not be asked")}


def test_a_vendor_that_stumbles_is_asked_again_and_one_that_asks_to_wait_is_not(
    tools: Tools,
) -> None:
    failing = iter([AWAY, None])
    vendor = Vendor()

    def stumble() -> dict[str, Any]:
        vendor.away = next(failing)
        return vendor()

    assert ask_prices(PRICES, stumble, tools)["sizes"] == LIST
    vendor = Vendor(away=vendor_error(FailureKind.TEMPORARY, "slow down", 60.0, 429))
    ask_prices(PRICES, vendor, tools)
    assert vendor.asked == 1


def droplets_of(tools: Tools) -> tuple[FakeDroplets, DropletResize]:
    assert isinstance(tools.clock, FakeClock)
    droplets = FakeDroplets(tools.clock)
    return droplets, DropletResize(droplets, tools)


def test_a_droplet_is_planned_without_the_vendors_list_and_the_message_says_by_which(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    droplets, work = droplets_of(tools)
    ask = request_for("vertical_scale", WORKER)

    def planned() -> Plan:
        plan = plan_droplet_size(ask, work.observe(WORKER))
        assert isinstance(plan, Plan)
        return plan

    refuse: Callable[..., Any] = Vendor(away=AWAY)
    with monkeypatch.context() as away:
        away.setattr(FakeDroplets, "sizes", lambda _self: refuse())
        assert planned().price_source == OF_DROPLETS.stand_in("it could not be asked")
    assert (planned().price_after, planned().price_source) == (12.0, "")
    monkeypatch.setattr(FakeDroplets, "sizes", lambda _self: refuse())
    assert planned().price_source.startswith("DigitalOcean's list of 2026-")
    assert droplets.status == "active"


def test_an_old_list_holds_no_droplet_because_the_vendor_had_none_of_a_size(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    droplets, work = droplets_of(tools)
    offer = droplets.sizes_on_offer["s-1vcpu-2gb"]
    ask = request_for("vertical_scale", WORKER)
    droplets.sizes_on_offer["s-1vcpu-2gb"] = type(offer)(offer.slug, 12, offer.disk_gb, False)
    assert not isinstance(plan_droplet_size(ask, work.observe(WORKER)), Plan)
    monkeypatch.setattr(FakeDroplets, "sizes", lambda _self: Vendor(away=AWAY)())
    assert isinstance(plan_droplet_size(ask, work.observe(WORKER)), Plan)


def test_each_kind_keeps_its_vendors_list_under_a_name_of_its_own(tools: Tools) -> None:
    clock, notes = tools.clock, tools.notes
    assert isinstance(clock, FakeClock)
    assert isinstance(notes, FakeNotes)
    AppChange(FakeApps(clock), tools).observe(API)
    DropletResize(FakeDroplets(clock), tools).observe(WORKER)
    ComputeResize(FakeDatabase(clock), tools).observe(DATABASE)
    sold = {"app_platform": "professional-xs", "droplet": "s-1vcpu-1gb", "supabase": "ci_micro"}
    for name, size in sold.items():
        prices = kind_spec(name).prices
        kept = load_kept(notes.get(prices.note))
        assert kept is not None
        assert kept.sizes[size]["price_monthly"] == prices.documented[size]
    kept_as = [kind.prices.note for kind in KINDS if kind.prices.note]
    assert len(set(kept_as)) == len(kept_as)
