"""Runs that set values, on the sandbox over HTTP: what the vendor is sent, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from service.catalogue.app_platform.plan import changed_component
from service.catalogue.app_platform.target import AppTarget
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from service.domain.errors import VendorError
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.store.clock import StoreClock
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.unit.sandbox.support import APP, TOKEN, Served, served
from tests.unit.test_planning_autoscaling import SECTION

XS, M = "professional-xs", "professional-m"
API = AppTarget("api", APP, "api", 2, 10, (XS, M))
ONE_APP = f"/v2/apps/{APP}"


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def by_a_person(**to: Any) -> Request:
    wanted = tuple(Wanted(name, to=value) for name, value in to.items())
    asked = request_for("set_capacity", API)
    return replace(asked, origin=Origin(PERSON, "anna", "a big exam"), wanted=wanted)


def run(sandbox: Served, request: Request) -> FakeRun:
    client = DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox.url}/digitalocean")
    clock = StoreClock()
    made = planned(works_on(clock, apps=DigitalOceanApps(client)), request, clock)
    made.execute()
    return made


def writes(sandbox: Served) -> int:
    return sum(one["method"] == "PUT" and one["path"] == ONE_APP for one in sandbox.calls())


def api(sandbox: Served) -> tuple[int, str]:
    component = sandbox.state()["apps"][APP]["components"]["api"]
    return component["instances"], component["size"]


def test_both_values_go_in_one_write_and_come_back_in_another(sandbox: Served) -> None:
    made = run(sandbox, by_a_person(replicas=5, size=M))
    assert (api(sandbox), writes(sandbox)) == ((5, M), 1)
    assert made.records["verify"] == {
        "instance_count": 5,
        "instance_size_slug": M,
        "ready": 5,
    }
    run(sandbox, by_a_person(replicas=2, size=XS))
    assert (api(sandbox), writes(sandbox)) == ((2, XS), 2)


L = "professional-l"
LADDER = replace(API, sizes=(XS, M, L))


def spec(sandbox: Served) -> dict[str, Any]:
    """The app's spec, without the one component that runs change; and that component."""
    address, headers = f"{sandbox.url}/digitalocean{ONE_APP}", {"Authorization": f"Bearer {TOKEN}"}
    found: dict[str, Any] = httpx.get(address, headers=headers).json()["app"]["spec"]
    return found


def with_a_health_check_of_its_own(sandbox: Served) -> dict[str, Any]:
    """A field of the health check that no option names, as somebody has set it."""
    whole = spec(sandbox)
    whole["services"][0]["health_check"] = {"port": 9000}
    address, headers = f"{sandbox.url}/digitalocean{ONE_APP}", {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.put(address, headers=headers, json={"spec": whole}).status_code == 200
    return spec(sandbox)


def test_the_runbooks_autoscaling_is_merged_into_the_spec_and_its_undo_leaves_nothing(
    sandbox: Served,
) -> None:
    before = with_a_health_check_of_its_own(sandbox)
    asked = request_for("set_autoscaling", LADDER, options=SECTION)

    made = run(sandbox, asked)

    component = spec(sandbox)["services"][0]
    assert component["autoscaling"] == {
        "min_instance_count": 2,
        "max_instance_count": 10,
        "metrics": {"cpu": {"percent": 70}, "requests_per_second": {"per_instance": 500}},
    }
    assert component["health_check"] == {
        "port": 9000,
        "http_path": "/health",
        "initial_delay_seconds": 10,
        "period_seconds": 10,
        "timeout_seconds": 5,
        "success_threshold": 1,
        "failure_threshold": 3,
    }
    assert component["instance_size_slug"] == L
    assert "instance_count" not in component
    assert made.plan.asks, "the dedicated size has to be approved"

    was = changed_component(made.plan)
    back = by_a_person(**{name: values[0] for name, values in was.items()})
    run(sandbox, replace(back, action="set_autoscaling", on=LADDER, options=asked.options))
    assert spec(sandbox) == before


def test_the_vendor_takes_no_autoscaling_of_a_shared_size(sandbox: Served) -> None:
    """So the plan must not ask for it; the sandbox answers as the vendor documents."""
    whole = spec(sandbox)
    component = whole["services"][0]
    del component["instance_count"]
    component["autoscaling"] = {
        "min_instance_count": 2,
        "max_instance_count": 4,
        "metrics": {"cpu": {"percent": 70}},
    }
    client = DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox.url}/digitalocean")
    with pytest.raises(VendorError, match="professional-xs can't be autoscaled"):
        DigitalOceanApps(client).update_app(APP, whole)


def test_an_alert_moves_the_upper_bound_of_the_vendors_autoscaling(sandbox: Served) -> None:
    options = {"min": 2, "max": 4, "cpu": 70, "size": L}
    run(sandbox, request_for("set_autoscaling", LADDER, options=options))
    run(sandbox, request_for("horizontal_scale", LADDER, options={"step": 2}))
    run(sandbox, request_for("set_capacity", LADDER, options={"replicas": 3}))
    bounds = sandbox.state()["apps"][APP]["components"]["api"]["autoscaling"]
    assert (bounds["least"], bounds["most"]) == (3, 6)
