"""A person changes the app while our own requests are on their way, on the sandbox over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import pytest

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.steps.timings import Timings
from service.domain.errors import StepFailed, TargetChanged
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.store.clock import StoreClock
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.processes import wait_until
from tests.reliability import VendorSaw, scenario
from tests.unit.sandbox.support import APP, TOKEN, Served, served

TARGET = AppTarget("api", APP, "api", 2, 10, ("professional-xs", "professional-m"))
SLOW_S = 4.0
TIMINGS = Timings(fresh_read_s=SLOW_S / 2)
ONE_APP = f"/v2/apps/{APP}"


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def prepared(sandbox: Served) -> FakeRun:
    """A run that is planned from 2 × professional-xs to 3 of them."""
    client = DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox.url}/digitalocean")
    clock = StoreClock()
    works = works_on(clock, apps=DigitalOceanApps(client), timings=TIMINGS)
    return planned(works, request_for("horizontal_scale", TARGET), clock)


def a_person_sets_5_of_professional_m(sandbox: Served) -> None:
    address, headers = f"{sandbox.url}/digitalocean{ONE_APP}", {"Authorization": f"Bearer {TOKEN}"}
    spec = deepcopy(httpx.get(address, headers=headers).json()["app"]["spec"])
    spec["services"][0] |= {"instance_count": 5, "instance_size_slug": "professional-m"}
    assert httpx.put(address, headers=headers, json={"spec": spec}).status_code == 200


def calls(sandbox: Served, method: str) -> list[Any]:
    return [one for one in sandbox.calls() if one["method"] == method and one["path"] == ONE_APP]


def api(sandbox: Served) -> tuple[int, str]:
    component = sandbox.state()["apps"][APP]["components"]["api"]
    return component["instances"], component["size"]


@scenario(
    "People who change things meanwhile",
    "A person sets another size and count while the look before the write is answered late.",
    "Nothing is overwritten. The run says which fields the person changed, and is planned anew.",
)
def test_what_a_person_sets_while_our_look_is_answered_late_is_not_overwritten(
    sandbox: Served, vendor_saw: VendorSaw
) -> None:
    run = prepared(sandbox)
    seen = len(calls(sandbox, "GET"))
    sandbox.fault(vendor="digitalocean", method="GET", path=ONE_APP, latency_s=SLOW_S)
    failed: list[BaseException] = []

    def update() -> None:
        try:
            run.step("update_app")
        except TargetChanged as error:
            failed.append(error)

    worker = threading.Thread(target=update)
    worker.start()
    assert wait_until(lambda: len(calls(sandbox, "GET")) > seen, 30)
    a_person_sets_5_of_professional_m(sandbox)
    worker.join(30)

    assert api(sandbox) == (5, "professional-m")
    _of_the_person, *ours = calls(sandbox, "PUT")
    vendor_saw(one["path"] for one in ours)
    assert "instance_count was 2 when this run looked and is 5 now" in str(failed[0])
    assert run.intents == {}


def test_what_a_person_sets_before_our_late_look_arrives_is_seen_in_it(sandbox: Served) -> None:
    run = prepared(sandbox)
    sandbox.fault(
        vendor="digitalocean", method="GET", path=ONE_APP, latency_s=SLOW_S, slow="request"
    )
    a_person_sets_5_of_professional_m(sandbox)

    with pytest.raises(TargetChanged, match="is 5 now"):
        run.step("update_app")

    assert api(sandbox) == (5, "professional-m")


def test_what_a_person_sets_while_our_write_is_on_its_way_is_told_as_overwritten(
    sandbox: Served,
) -> None:
    run = prepared(sandbox)
    run.context.on_fence = lambda: a_person_sets_5_of_professional_m(sandbox)
    run.step("update_app")

    with pytest.raises(StepFailed, match="has overwritten deployment"):
        run.execute()
