"""Runs that set values, on the sandbox over HTTP: what the vendor is sent, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.app_platform.target import AppTarget
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.store.clock import StoreClock
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.unit.sandbox.support import APP, TOKEN, Served, served

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
