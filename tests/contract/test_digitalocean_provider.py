from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import pytest
import responses

from service.domain.errors import FailureKind, VendorError
from service.ports.app_platform import AppState, ComponentHealth, Deployment
from service.ports.droplet import DropletAction, DropletSize, DropletState
from service.providers.digitalocean import DigitalOceanClient, make_sdk_client
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_droplets import BUSY_WAIT, DigitalOceanDroplets
from service.providers.waits import Timeouts
from tests.contract.loopback import Loopback

API = "https://api.digitalocean.com/v2"
TOKEN = "test-token-not-real"
SPEC = {
    "name": "quizmentor",
    "services": [{"name": "api", "instance_count": 2, "instance_size_slug": "professional-xs"}],
    "envs": [{"key": "DB", "value": "EV[1:abc:def]", "type": "SECRET"}],
}
DROPLET = {
    "id": 101,
    "name": "worker",
    "size_slug": "s-1vcpu-1gb",
    "status": "active",
    "locked": False,
    "disk": 25,
    "vcpus": 1,
    "memory": 1024,
}
ACTION = {
    "id": 7,
    "type": "resize",
    "status": "in-progress",
    "started_at": "2026-03-01T10:00:00Z",
}


@pytest.fixture
def client() -> DigitalOceanClient:
    return DigitalOceanClient(token=TOKEN)


@responses.activate
def test_an_app_is_read_with_its_spec_verbatim(client: DigitalOceanClient) -> None:
    app = {"id": "a", "spec": SPEC, "active_deployment": {"id": "d1"}}
    responses.get(f"{API}/apps/a", json={"app": app})

    assert DigitalOceanApps(client).get_app("a") == AppState("a", SPEC, "d1", None)


@responses.activate
@pytest.mark.parametrize("key", ["pending_deployment", "in_progress_deployment"])
def test_a_deployment_under_way_is_seen(client: DigitalOceanClient, key: str) -> None:
    responses.get(f"{API}/apps/a", json={"app": {"id": "a", "spec": {}, key: {"id": "d2"}}})

    assert DigitalOceanApps(client).get_app("a").deploying == "d2"


@responses.activate
def test_the_deployment_that_an_app_was_rolled_back_to_is_seen(client: DigitalOceanClient) -> None:
    app = {"id": "a", "spec": {}, "pinned_deployment": {"id": "d0"}}
    responses.get(f"{API}/apps/a", json={"app": app})

    assert DigitalOceanApps(client).get_app("a").pinned == "d0"


@responses.activate
def test_an_update_sends_the_whole_spec_and_ships_no_new_code(client: DigitalOceanClient) -> None:
    app = {"id": "a", "spec": SPEC, "pending_deployment": {"id": "d2"}}
    put = responses.put(f"{API}/apps/a", json={"app": app})

    assert DigitalOceanApps(client).update_app("a", SPEC) == "d2"
    assert json.loads(put.calls[0].request.body) == {
        "spec": SPEC,
        "update_all_source_versions": False,
    }


@responses.activate
def test_an_update_without_a_deployment_of_its_own_is_unknown(client: DigitalOceanClient) -> None:
    app = {"id": "a", "spec": SPEC, "in_progress_deployment": {"id": "of someone else"}}
    responses.put(f"{API}/apps/a", json={"app": app})

    with pytest.raises(VendorError) as caught:
        DigitalOceanApps(client).update_app("a", SPEC)

    assert caught.value.kind is FailureKind.UNKNOWN


@responses.activate
def test_an_encrypted_value_that_the_vendor_echoes_is_hidden(client: DigitalOceanClient) -> None:
    said = {"id": "bad_request", "message": "env DB: EV[1:abc:def] is not for this app"}
    responses.put(f"{API}/apps/a", json=said, status=400)

    with pytest.raises(VendorError) as caught:
        DigitalOceanApps(client).update_app("a", SPEC)

    assert "abc" not in str(caught.value)
    assert "is not for this app" in str(caught.value)


@responses.activate
def test_a_400_that_comes_as_an_ordinary_answer_is_permanent(client: DigitalOceanClient) -> None:
    said = {"id": "bad_request", "message": "spec is wrong"}
    responses.put(f"{API}/apps/a", json=said, status=200)

    with pytest.raises(VendorError) as caught:
        DigitalOceanApps(client).update_app("a", SPEC)

    assert caught.value.kind is FailureKind.PERMANENT
    assert "spec is wrong" in caught.value.sentence


@responses.activate
def test_deployments_come_newest_first_as_the_vendor_lists_them(client: DigitalOceanClient) -> None:
    newest = {"id": "d2", "phase": "BUILDING", "created_at": "2026-03-01T10:00:00.123456789Z"}
    oldest = {"id": "d1", "phase": "ACTIVE", "cause": "manual", "spec": SPEC}
    responses.get(f"{API}/apps/a/deployments", json={"deployments": [newest, oldest]})
    responses.get(f"{API}/apps/a/deployments/d1", json={"deployment": oldest})
    apps = DigitalOceanApps(client)

    started = datetime(2026, 3, 1, 10, 0, 0, 123456, UTC)
    first = Deployment("d1", "ACTIVE", None, "manual", SPEC)
    assert apps.list_deployments("a") == (Deployment("d2", "BUILDING", started), first)
    assert apps.get_deployment("a", "d1") == first


@responses.activate
def test_an_app_that_was_never_deployed_has_no_deployments(client: DigitalOceanClient) -> None:
    responses.get(f"{API}/apps/a/deployments", json={"deployments": None})

    assert DigitalOceanApps(client).list_deployments("a") == ()


@responses.activate
def test_health_tells_replicas_wanted_and_ready(client: DigitalOceanClient) -> None:
    component = {"name": "api", "replicas_desired": 3, "replicas_ready": 2, "cpu_usage_percent": 81}
    responses.get(f"{API}/apps/a/health", json={"app_health": {"components": [component]}})

    found = DigitalOceanApps(client).health("a")

    assert found == {"api": ComponentHealth("api", 3, 2, 81.0, None)}


@responses.activate
def test_a_droplet_is_read(client: DigitalOceanClient) -> None:
    responses.get(f"{API}/droplets/101", json={"droplet": DROPLET})

    expected = DropletState("101", "worker", "s-1vcpu-1gb", "active", False, 25, 1, 1024)
    assert DigitalOceanDroplets(client).get("101") == expected


@responses.activate
def test_an_action_carries_its_parameters(client: DigitalOceanClient) -> None:
    post = responses.post(f"{API}/droplets/101/actions", json={"action": ACTION}, status=201)

    found = DigitalOceanDroplets(client).act("101", "resize", size="s-1vcpu-2gb", disk=False)

    started = datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found == DropletAction(7, "resize", "in-progress", started)
    sent = json.loads(post.calls[0].request.body)
    assert sent == {"type": "resize", "size": "s-1vcpu-2gb", "disk": False}


@responses.activate
def test_actions_are_listed_and_read(client: DigitalOceanClient) -> None:
    responses.get(f"{API}/droplets/101/actions", json={"actions": [ACTION]})
    responses.get(
        f"{API}/droplets/101/actions/7", json={"action": ACTION | {"status": "completed"}}
    )
    droplets = DigitalOceanDroplets(client)

    assert [one.status for one in droplets.list_actions("101")] == ["in-progress"]
    assert droplets.get_action("101", 7).status == "completed"


@responses.activate
@pytest.mark.parametrize("status", [409, 422])
@pytest.mark.parametrize(
    "message", ["Droplet already has a pending event.", "Droplet is locked.", "Another action runs"]
)
def test_a_droplet_busy_with_another_action_is_asked_later(
    client: DigitalOceanClient, status: int, message: str
) -> None:
    said = {"id": "unprocessable_entity", "message": message}
    responses.post(f"{API}/droplets/101/actions", json=said, status=status)

    with pytest.raises(VendorError) as caught:
        DigitalOceanDroplets(client).act("101", "power_off")

    error = caught.value
    assert (error.kind, error.retry_after) == (FailureKind.TEMPORARY, BUSY_WAIT)
    assert error.status == status


@responses.activate
def test_a_busy_droplet_is_known_where_the_quote_of_its_answer_ends_before(
    client: DigitalOceanClient,
) -> None:
    """The vendor's whole answer tells it, not the part that the sentence has room for."""
    message = f"{'The request was looked at. ' * 20}Droplet already has a pending event."
    said = {"id": "unprocessable_entity", "message": message}
    responses.post(f"{API}/droplets/101/actions", json=said, status=422)

    with pytest.raises(VendorError) as caught:
        DigitalOceanDroplets(client).act("101", "power_off")

    assert caught.value.kind is FailureKind.TEMPORARY


@responses.activate
def test_snapshots_of_all_pages_are_named(client: DigitalOceanClient) -> None:
    url = f"{API}/droplets/101/snapshots"
    following = {"pages": {"next": f"{url}?page=2"}}
    one = responses.matchers.query_param_matcher({"per_page": "200", "page": "1"})
    two = responses.matchers.query_param_matcher({"per_page": "200", "page": "2"})
    responses.get(
        url, json={"snapshots": [{"name": "a", "id": "1"}], "links": following}, match=[one]
    )
    responses.get(url, json={"snapshots": [{"name": "b", "id": "2"}], "links": {}}, match=[two])

    assert DigitalOceanDroplets(client).snapshot_names("101") == ("a", "b")


@responses.activate
def test_sizes_are_found_by_slug(client: DigitalOceanClient) -> None:
    size = {"slug": "s-1vcpu-2gb", "price_monthly": 12, "disk": 50, "available": True}
    responses.get(f"{API}/sizes", json={"sizes": [size], "links": {}})

    expected = DropletSize("s-1vcpu-2gb", 12.0, 50, True)
    assert DigitalOceanDroplets(client).sizes() == {"s-1vcpu-2gb": expected}


@pytest.mark.parametrize("wrong", ["abc", "", "１０１", "1/../2", "-1"])
def test_a_droplet_id_that_is_no_number_is_never_sent(
    client: DigitalOceanClient, wrong: str
) -> None:
    with pytest.raises(VendorError) as caught:
        DigitalOceanDroplets(client).act(wrong, "power_off")

    assert caught.value.kind is FailureKind.PERMANENT
    assert "DROPLET_ID" in caught.value.sentence


@responses.activate
def test_the_hourly_limit_tells_the_wait_by_its_reset(client: DigitalOceanClient) -> None:
    in_a_minute = str(int(datetime.now(UTC).timestamp()) + 60)
    headers = {"ratelimit-reset": in_a_minute, "ratelimit-remaining": "0"}
    responses.get(f"{API}/apps/a", json={"id": "too_many_requests"}, status=429, headers=headers)

    with pytest.raises(VendorError) as caught:
        DigitalOceanApps(client).get_app("a")

    assert caught.value.retry_after == pytest.approx(60, abs=3)


def test_a_404_still_comes_as_an_ordinary_answer_from_the_sdk(vendor: Loopback) -> None:
    """The trap that the client is for; when this fails, the SDK has changed."""
    vendor.answers(404, {"id": "not_found", "message": "gone"})
    sdk = make_sdk_client(TOKEN, vendor.url, Timeouts())

    assert sdk.apps.get("a")["id"] == "not_found"


def test_a_404_that_is_no_json_is_no_crash(vendor: Loopback) -> None:
    vendor.answers(404, b"<html>not here</html>")

    with pytest.raises(VendorError) as caught:
        DigitalOceanApps(DigitalOceanClient(token=TOKEN, endpoint=vendor.url)).get_app("a")

    assert caught.value.kind is FailureKind.TEMPORARY


def test_an_id_with_a_slash_stays_one_part_of_the_path(vendor: Loopback) -> None:
    vendor.answers(404, {"id": "not_found", "message": "gone"})

    with pytest.raises(VendorError):
        DigitalOceanApps(DigitalOceanClient(token=TOKEN, endpoint=vendor.url)).get_app(
            "../droplets"
        )

    assert vendor.seen[0].path == "/v2/apps/..%2Fdroplets"


def test_each_thread_has_a_client_of_its_own(vendor: Loopback) -> None:
    client = DigitalOceanClient(token=TOKEN, endpoint=vendor.url)
    mine = client._sdk()
    others: list[object] = []
    thread = threading.Thread(target=lambda: others.append(client._sdk()))
    thread.start()
    thread.join()

    assert client._sdk() is mine
    assert others[0] is not mine
