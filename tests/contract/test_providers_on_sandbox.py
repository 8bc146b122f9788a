"""The adapters against the sandbox over real HTTP: the two must agree, or make dev lies."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports import Message, Page
from service.ports.app_platform import ComponentHealth
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.health import HttpHealthProbe
from service.providers.pagerduty import PagerDutyPager
from service.providers.slack import SlackMessenger
from service.providers.supabase import SupabaseCompute
from service.sandbox.app import create_app
from service.sandbox.config import SandboxConfig
from service.sandbox.server import make_server

TOKEN = "test-token-not-real"
APP, DROPLET, PROJECT = "app-quizmentor", "101", "quizmentorquizmentor"


@pytest.fixture
def sandbox() -> Iterator[str]:
    server = make_server(create_app(SandboxConfig(action_seconds=0)), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def client(sandbox: str) -> DigitalOceanClient:
    return DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox}/digitalocean")


def state(sandbox: str) -> Any:
    return httpx.get(f"{sandbox}/_sandbox/state", trust_env=False).json()


def fault(sandbox: str, **wanted: Any) -> None:
    answer = httpx.post(f"{sandbox}/_sandbox/faults", json=wanted, trust_env=False)
    assert answer.is_success, answer.text


def droplet_control(sandbox: str, **wanted: Any) -> None:
    answer = httpx.post(f"{sandbox}/_sandbox/droplet", json=wanted, trust_env=False)
    assert answer.is_success, answer.text


def test_an_app_is_scaled_by_sending_its_whole_spec_back(
    sandbox: str, client: DigitalOceanClient
) -> None:
    apps = DigitalOceanApps(client)
    before = apps.get_app(APP)
    spec = copy.deepcopy(dict(before.spec))
    api = next(one for one in spec["services"] if one["name"] == "api")
    assert (api["instance_count"], api["instance_size_slug"]) == (2, "professional-xs")
    api["instance_count"] = 3

    deployment = apps.update_app(APP, spec)

    assert deployment != before.active_deployment
    assert apps.get_deployment(APP, deployment).phase == "ACTIVE"
    assert apps.list_deployments(APP)[0].id == deployment
    after = apps.get_app(APP)
    assert (after.active_deployment, after.deploying) == (deployment, None)
    assert after.spec == spec
    health = apps.health(APP)["api"]
    assert isinstance(health, ComponentHealth)
    assert (health.desired, health.ready) == (3, 3)
    assert state(sandbox)["apps"][APP]["components"]["api"]["instances"] == 3


def test_a_droplet_is_snapshotted_switched_off_resized_and_on_again(
    sandbox: str, client: DigitalOceanClient
) -> None:
    droplets = DigitalOceanDroplets(client)
    assert droplets.get(DROPLET).size == "s-1vcpu-1gb"
    assert droplets.sizes()["s-1vcpu-2gb"].price_monthly == 12

    steps: list[tuple[str, dict[str, Any]]] = [
        ("snapshot", {"name": "pre-scale-20260301-run"}),
        ("power_off", {}),
        ("resize", {"size": "s-1vcpu-2gb", "disk": False}),
        ("power_on", {}),
    ]
    for action, parameters in steps:
        asked = droplets.act(DROPLET, action, **parameters)
        assert droplets.get_action(DROPLET, asked.id).status == "completed"

    after = droplets.get(DROPLET)
    assert (after.size, after.status, after.disk_gb) == ("s-1vcpu-2gb", "active", 25)
    assert "pre-scale-20260301-run" in droplets.snapshot_names(DROPLET)
    done = [one.type for one in droplets.list_actions(DROPLET)]
    assert done[:4] == ["power_on", "resize", "power_off", "snapshot"]
    assert state(sandbox)["droplets"][DROPLET]["size"] == "s-1vcpu-2gb"


def test_a_droplet_says_what_its_region_sells(sandbox: str, client: DigitalOceanClient) -> None:
    droplet_control(sandbox, region_sizes=["s-1vcpu-1gb", "c-2"])
    droplet = DigitalOceanDroplets(client).get(DROPLET)
    assert (droplet.region, droplet.region_sizes) == ("nyc1", frozenset({"s-1vcpu-1gb", "c-2"}))


def test_a_size_too_large_for_its_server_is_refused_for_good(
    sandbox: str, client: DigitalOceanClient
) -> None:
    droplets = DigitalOceanDroplets(client)
    droplet_control(sandbox, too_large=["s-1vcpu-2gb"])
    droplets.act(DROPLET, "power_off")
    with pytest.raises(VendorError, match="too large to fit on your droplet's server") as caught:
        droplets.act(DROPLET, "resize", size="s-1vcpu-2gb", disk=False)
    assert caught.value.kind is FailureKind.PERMANENT


def test_a_droplet_busy_with_an_action_is_asked_later(
    sandbox: str, client: DigitalOceanClient
) -> None:
    fault(
        sandbox,
        vendor="digitalocean",
        method="POST",
        path="/v2/droplets/*/actions",
        status=422,
        body={"id": "unprocessable_entity", "message": "Droplet already has a pending event."},
        times=1,
    )

    with pytest.raises(VendorError) as caught:
        DigitalOceanDroplets(client).act(DROPLET, "power_off")

    assert caught.value.kind is FailureKind.TEMPORARY


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_write_whose_answer_is_dropped_is_unknown_whether_it_took_effect_or_not(
    sandbox: str, client: DigitalOceanClient, drop: str
) -> None:
    droplets = DigitalOceanDroplets(client)
    path = "/v2/droplets/*/actions"
    fault(sandbox, vendor="digitalocean", method="POST", path=path, drop=drop, times=1)

    with pytest.raises(VendorError) as caught:
        droplets.act(DROPLET, "power_off")

    assert caught.value.kind is FailureKind.UNKNOWN
    assert droplets.get(DROPLET).status == ("off" if drop == "after" else "active")
    assert len(droplets.list_actions(DROPLET)) == (1 if drop == "after" else 0)


def test_what_does_not_exist_is_permanent(sandbox: str, client: DigitalOceanClient) -> None:
    with pytest.raises(VendorError) as no_app:
        DigitalOceanApps(client).get_app("no-such-app")
    with pytest.raises(VendorError) as no_droplet:
        DigitalOceanDroplets(client).act("999", "power_off")
    with pytest.raises(VendorError) as no_project:
        SupabaseCompute(token=TOKEN, base_url=f"{sandbox}/supabase").resize("x" * 20, "ci_small")

    for caught in (no_app, no_droplet, no_project):
        assert (caught.value.kind, caught.value.status) == (FailureKind.PERMANENT, 404)


def test_prices_by_the_hour_are_read_as_prices_a_month(sandbox: str) -> None:
    database = SupabaseCompute(token=TOKEN, base_url=f"{sandbox}/supabase")
    by_the_month = database.get(PROJECT).prices
    httpx.post(f"{sandbox}/_sandbox/supabase", json={"hourly": True}).raise_for_status()
    assert database.get(PROJECT).prices == pytest.approx(by_the_month, rel=0.02)


def test_a_database_is_resized(sandbox: str) -> None:
    database = SupabaseCompute(token=TOKEN, base_url=f"{sandbox}/supabase")
    before = database.get(PROJECT)
    assert (before.variant, before.status) == ("ci_micro", "ACTIVE_HEALTHY")
    assert before.prices["ci_small"] == pytest.approx(15, abs=0.5)

    database.resize(PROJECT, "ci_small")

    after = database.get(PROJECT)
    assert (after.variant, after.status) == ("ci_small", "ACTIVE_HEALTHY")
    assert {one.name for one in database.health(PROJECT)} == {"db", "pooler"}
    assert all(one.healthy for one in database.health(PROJECT))
    assert state(sandbox)["supabase"][PROJECT]["compute"] == "ci_small"


def test_an_incident_is_opened_once_and_closed(sandbox: str) -> None:
    pager = PagerDutyPager(routing_key="0123456789abcdef" * 2, base_url=f"{sandbox}/pagerduty")
    page = Page("group-1", "High Error Rate", "api", "critical", details={"run": "1"})

    pager.trigger(page)
    pager.trigger(page)
    assert len(state(sandbox)["pagerduty"]["open"]) == 1

    pager.change("api 2 → 3", "runbookd", {"run": "1"})
    pager.resolve("group-1")
    assert state(sandbox)["pagerduty"]["open"] == []


def test_a_message_is_posted_answered_and_edited(sandbox: str) -> None:
    slack = SlackMessenger(token=TOKEN, channel="#scaling", base_url=f"{sandbox}/slack/api/")
    fields = [(f"label {number}", "x" * 3000) for number in range(25)]

    parent = slack.post(Message("Scaling api " * 20, "a & <b> " * 1000, fields, "run 1"))
    slack.post(Message("Deploying", "waiting"), parent)
    slack.update(parent, Message("Scaled api", "2 → 3"))

    told = state(sandbox)["slack"]["messages"]
    assert [one["text"] for one in told] == ["Scaled api: 2 → 3", "Deploying: waiting"]
    assert told[1]["thread_ts"] == parent.ts


def test_the_simulated_application_is_healthy(sandbox: str) -> None:
    assert HttpHealthProbe().check(f"{sandbox}/healthz") is None
