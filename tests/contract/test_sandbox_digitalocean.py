"""DigitalOcean's own SDK against the sandbox, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pydo
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from tests.unit.sandbox.support import APP, DROPLET, TOKEN, Served, served


class OverPlainHttp(SansIOHTTPPolicy[Any, Any]):
    """pydo refuses http:// unless it is given an authentication policy of its own."""

    def __init__(self, token: str) -> None:
        self._token = token

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if self._token:
            request.http_request.headers["Authorization"] = f"Bearer {self._token}"


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def client(sandbox: Served, token: str = TOKEN) -> Any:
    return pydo.Client(
        TOKEN,
        endpoint=f"{sandbox.url}/digitalocean",
        retry_total=0,
        authentication_policy=OverPlainHttp(token),
    )


def running(sandbox: Served) -> Any:
    return sandbox.state()["apps"][APP]["components"]["api"]["instances"]


def test_the_sdk_scales_an_app_and_sees_its_deployment_become_active(sandbox: Served) -> None:
    apps = client(sandbox).apps
    spec = apps.get(APP)["app"]["spec"]
    secrets = [env for env in spec["services"][0]["envs"] if env.get("type") == "SECRET"]
    assert secrets
    assert secrets[0]["value"].startswith("EV[1:")
    spec["services"][0]["instance_count"] = 3
    body = {"spec": spec, "update_all_source_versions": False}
    pending = apps.update(APP, body=body)["app"]["pending_deployment"]
    assert pending["phase"] == "PENDING_BUILD"
    assert apps.get_deployment(APP, pending["id"])["deployment"]["phase"] == "ACTIVE"
    assert apps.get(APP)["app"]["active_deployment"]["id"] == pending["id"]
    assert apps.get(APP)["app"]["spec"] == spec
    assert running(sandbox) == 3
    (component,) = apps.get_health(APP)["app_health"]["components"]
    assert (component["replicas_ready"], component["state"]) == (3, "HEALTHY")


def test_the_sdk_prices_a_spec_and_lists_the_sizes(sandbox: Served) -> None:
    apps = client(sandbox).apps
    spec = apps.get(APP)["app"]["spec"]
    spec["services"][0]["instance_size_slug"] = "professional-s"
    assert apps.validate_app_spec(body={"spec": spec, "app_id": APP})["app_cost"] == 50
    sizes = {size["slug"]: size for size in apps.list_instance_sizes()["instance_sizes"]}
    assert sizes["professional-m"]["usd_per_month"] == "50.00"
    assert sizes["basic-s"]["single_instance_only"] is True
    assert sizes["apps-d-2vcpu-8gb"]["scalable"] is True
    assert all(isinstance(size["cpus"], str) for size in sizes.values())


def test_the_sdk_resizes_a_droplet_step_by_step(sandbox: Served) -> None:
    vendor = client(sandbox)

    def act(**body: Any) -> None:
        action = vendor.droplet_actions.post(DROPLET, body=body)["action"]
        assert action["status"] == "in-progress"
        seen = vendor.droplet_actions.get(DROPLET, action["id"])["action"]
        assert (seen["status"], seen["type"]) == ("completed", body["type"])

    act(type="snapshot", name="pre-scale-20260101-run")
    act(type="power_off")
    assert vendor.droplets.get(DROPLET)["droplet"]["status"] == "off"
    act(type="resize", size="s-1vcpu-2gb", disk=False)
    act(type="power_on")
    droplet = vendor.droplets.get(DROPLET)["droplet"]
    assert (droplet["size_slug"], droplet["memory"], droplet["disk"]) == ("s-1vcpu-2gb", 2048, 25)
    assert droplet["status"] == "active"
    (snapshot,) = vendor.droplets.list_snapshots(DROPLET)["snapshots"]
    assert snapshot["name"] == "pre-scale-20260101-run"
    assert droplet["snapshot_ids"] == [snapshot["id"]]
    assert len(vendor.droplet_actions.list(DROPLET)["actions"]) == 4


def test_the_sdk_gets_a_refusal_as_the_vendor_words_it(sandbox: Served) -> None:
    vendor = client(sandbox)
    with pytest.raises(HttpResponseError) as refused:
        vendor.droplet_actions.post(DROPLET, body={"type": "resize", "size": "s-1vcpu-2gb"})
    assert refused.value.status_code == 422
    assert refused.value.response is not None
    error = json.loads(refused.value.response.text())
    assert error["id"] == "unprocessable_entity"
    assert error["request_id"]
    assert vendor.droplets.get(999)["id"] == "not_found"
    with pytest.raises(ClientAuthenticationError):
        client(sandbox, token="").account.get()
    assert vendor.account.get()["account"]["status"] == "active"


def test_the_sdk_reads_the_metrics_of_an_app(sandbox: Served) -> None:
    answer = client(sandbox).monitoring.get_app_cpu_percentage_metrics(
        app_id=APP, app_component="api", start="0", end="4102444800"
    )
    (series,) = answer["data"]["result"]
    assert series["metric"]["app_component"] == "api"
    assert float(series["values"][0][1]) == pytest.approx(25)


@pytest.mark.parametrize(("drop", "instances"), [("before", 2), ("after", 3)])
def test_a_dropped_update_looks_the_same_to_the_sdk_whether_it_took_effect_or_not(
    sandbox: Served, drop: str, instances: int
) -> None:
    apps = client(sandbox).apps
    spec = apps.get(APP)["app"]["spec"]
    spec["services"][0]["instance_count"] = 3
    sandbox.fault(vendor="digitalocean", method="PUT", path="/v2/apps/*", drop=drop)
    with pytest.raises(ServiceResponseError):
        apps.update(APP, body={"spec": spec})
    assert running(sandbox) == instances
    writes = [call for call in sandbox.calls() if call["method"] == "PUT"]
    assert [(one["status"], one["acted"]) for one in writes] == [(None, drop == "after")]
    assert apps.get(APP)["app"]["id"] == APP
