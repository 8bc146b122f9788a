"""Trouble on order: what is taken, what it does to a call, and what the record says after."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from service.sandbox.app import create_app
from service.sandbox.cloud import Cloud
from service.sandbox.config import SandboxConfig
from service.sandbox.core.wire import Call
from service.sandbox.dispatch import dispatch
from tests.unit.sandbox.support import APP, DROPLET, PROJECT, TOKEN, HandClock, Sandbox

ACTIONS = f"/v2/droplets/{DROPLET}/actions"


def order(sandbox: Sandbox, **fault: Any) -> Any:
    answer = sandbox.call("POST", "/_sandbox/faults", fault)
    assert answer.status_code == 201
    return answer.json


def test_a_fault_answers_instead_of_acting_as_often_as_it_was_ordered() -> None:
    sandbox = Sandbox()
    order(
        sandbox,
        vendor="digitalocean",
        method="POST",
        path="/v2/droplets/*/actions",
        status=503,
        headers={"Retry-After": "7"},
        body={"id": "service_unavailable", "message": "later"},
        times=2,
    )
    seen = [sandbox.act("snapshot", name="s") for _ in range(3)]
    assert [one.status_code for one in seen] == [503, 503, 201]
    assert seen[0].headers["Retry-After"] == "7"
    assert (seen[0].json or {})["message"] == "later"
    assert [call["acted"] for call in sandbox.calls()] == [False, False, True]


@pytest.mark.parametrize(
    ("fault", "hits"),
    [
        ({}, True),
        ({"vendor": "digitalocean"}, True),
        ({"vendor": "slack"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"path": ACTIONS}, True),
        ({"path": "/v2/droplets/*"}, True),
        ({"path": "/v2/apps/*"}, False),
        ({"path": f"/digitalocean{ACTIONS}"}, False),
    ],
)
def test_a_fault_meets_only_the_calls_it_names(fault: dict[str, Any], hits: bool) -> None:
    sandbox = Sandbox()
    order(sandbox, status=500, **fault)
    assert (sandbox.act("power_off").status_code == 500) is hits


def test_faults_are_taken_in_the_order_in_which_they_were_given() -> None:
    sandbox = Sandbox()
    first, second = order(sandbox, status=500), order(sandbox, status=502)
    assert [first["id"], second["id"]] == [1, 2]
    assert [sandbox.act("power_off").status_code for _ in range(3)] == [500, 502, 201]


def test_what_is_left_can_be_listed_and_cleared() -> None:
    sandbox = Sandbox()
    order(sandbox, status=500, times=3)
    sandbox.act("power_off")
    (left,) = sandbox.call("GET", "/_sandbox/faults").json  # type: ignore[misc]
    assert (left["times"], left["status"]) == (2, 500)
    sandbox.call("DELETE", "/_sandbox/faults")
    assert sandbox.call("GET", "/_sandbox/faults").json == []
    assert sandbox.act("power_off").status_code == 201


@pytest.mark.parametrize(
    ("drop", "acted", "status"), [("before", False, "active"), ("after", True, "off")]
)
def test_a_dropped_call_has_no_answer_and_acted_only_when_dropped_after(
    drop: str, acted: bool, status: str
) -> None:
    sandbox = Sandbox()
    order(sandbox, vendor="digitalocean", drop=drop)
    with pytest.raises(ConnectionResetError):
        sandbox.act("power_off")
    sandbox.clock.pass_by(10)
    assert sandbox.droplet()["status"] == status
    (call,) = sandbox.calls()
    assert (call["status"], call["acted"], call["fault"]) == (None, acted, 1)


def test_a_call_dropped_after_what_the_vendor_refused_did_not_act() -> None:
    sandbox = Sandbox()
    order(sandbox, drop="after")
    with pytest.raises(ConnectionResetError):
        sandbox.act("power_on")
    assert sandbox.calls()[0]["acted"] is False


def test_latency_acts_at_once_and_answers_late_without_holding_the_cloud() -> None:
    clock, waited = HandClock(), list[float]()
    cloud = Cloud(SandboxConfig(action_seconds=0, rate_limits=False), clock)
    cloud.faults.add({"latency_s": 3})
    body = {"type": "power_off"}
    call = Call("digitalocean", "POST", ACTIONS, {}, body, b"", TOKEN, "", 0.0)

    def sleep(seconds: float) -> None:
        with cloud.at_now():
            assert cloud.droplets[DROPLET].status == "off"
        waited.append(seconds)

    answer = dispatch(cloud, call, sleep)
    assert waited == [3]
    assert answer is not None
    assert answer.status == 201


@pytest.mark.parametrize(("action_seconds", "late"), [(120, 6.0), (2, 0.1), (1_200, 6.0)])
def test_an_order_of_compute_is_answered_late_by_itself_and_acts_at_once(
    action_seconds: float, late: float
) -> None:
    """As late as measured, and less so where everything is quicker, as in `make dev`."""
    clock, waited = HandClock(), list[float]()
    cloud = Cloud(SandboxConfig(action_seconds=action_seconds, rate_limits=False), clock)
    (ref,) = cloud.projects
    body = {"addon_type": "compute_instance", "addon_variant": "ci_small"}
    path = f"/v1/projects/{ref}/billing/addons"
    call = Call("supabase", "PATCH", path, {}, body, b"", TOKEN, "", 0.0)

    def sleep(seconds: float) -> None:
        with cloud.at_now():
            assert cloud.projects[ref].ordered == "ci_small"
        waited.append(seconds)

    answer = dispatch(cloud, call, sleep)
    assert answer is not None
    assert (answer.status, waited) == (200, [late])


@pytest.mark.parametrize(
    "fault",
    [
        [],
        {},
        {"vendor": "aws", "status": 500},
        {"status": 99},
        {"status": "500"},
        {"status": True},
        {"latency_s": -1},
        {"latency_s": "soon"},
        {"drop": "sometimes"},
        {"drop": "after", "status": 500},
        {"status": 500, "times": 0},
        {"status": 500, "headers": ["x"]},
        {"status": 500, "headers": {"X": "a\r\nb"}},
        {"body": {"x": 1}},
        {"status": 500, "path": ""},
        {"status": 500, "method": 7},
        {"status": 500, "colour": "red"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_one_sentence(fault: Any) -> None:
    answer = Sandbox().call("POST", "/_sandbox/faults", fault)
    assert answer.status_code == 422
    assert (answer.json or {})["error"].endswith(".")


def test_an_ordered_refusal_of_a_form_call_is_recorded_with_the_form_but_no_token() -> None:
    client = create_app(SandboxConfig(), HandClock()).test_client()
    form = {"token": TOKEN, "channel": "#ops", "text": "hello"}
    assert (client.post("/slack/api/chat.postMessage", data=form).json or {})["ok"]
    call = client.get("/_sandbox/calls").json[0]  # type: ignore[index]
    assert call["vendor"] == "slack"
    assert call["path"] == "/api/chat.postMessage"
    assert call["body"] == {"token": "…", "channel": "#ops", "text": "hello"}


def test_calls_are_recorded_in_order_under_the_vendors_own_paths() -> None:
    sandbox = Sandbox()
    sandbox.call("GET", f"/digitalocean/v2/apps/{APP}?x=1&y=1&y=2")
    sandbox.act("power_off")
    sandbox.call("GET", "/supabase/v1/projects", token=None)
    first, second, third = sandbox.calls()
    assert (first["method"], first["path"]) == ("GET", f"/v2/apps/{APP}")
    assert first["query"] == {"x": "1", "y": ["1", "2"]}
    assert (second["path"], second["body"]) == (ACTIONS, {"type": "power_off"})
    assert (third["vendor"], third["status"], third["acted"]) == ("supabase", 401, False)


@pytest.mark.parametrize(("slow", "seen"), [("answer", 2), ("request", 5)])
def test_a_slow_read_shows_the_state_of_its_beginning_or_of_its_end(slow: str, seen: int) -> None:
    clock = HandClock()
    cloud = Cloud(SandboxConfig(rate_limits=False), clock)
    cloud.faults.add({"method": "GET", "latency_s": 3, "slow": slow})

    def call(method: str, body: Any = None) -> Call:
        return Call("digitalocean", method, f"/v2/apps/{APP}", {}, body, b"", TOKEN, "", 0.0)

    def a_person_scales(seconds: float) -> None:
        assert seconds == 3
        clock.pass_by(seconds)
        spec = copy.deepcopy(cloud.apps[APP].spec)
        spec["services"][0]["instance_count"] = 5
        assert dispatch(cloud, call("PUT", {"spec": spec})) is not None

    answer = dispatch(cloud, call("GET"), a_person_scales)

    assert answer is not None
    assert answer.body["app"]["spec"]["services"][0]["instance_count"] == seen


def test_a_fault_that_is_slow_says_how_slow() -> None:
    sandbox = Sandbox()
    for fault in ({"status": 503, "slow": "request"}, {"latency_s": 1, "slow": "both"}):
        answer = sandbox.call("POST", "/_sandbox/faults", fault)
        assert answer.status_code == 422
        assert "slow" in answer.json["error"]  # type: ignore[index]


def test_a_fault_can_answer_200_with_a_page_of_html_and_nothing_is_done() -> None:
    sandbox = Sandbox()
    order(
        sandbox,
        method="PATCH",
        status=200,
        body="<html>Welcome</html>",
        headers={"Content-Type": "text/html"},
    )
    path = f"/supabase/v1/projects/{PROJECT}/billing/addons"
    body = {"addon_type": "compute_instance", "addon_variant": "ci_small"}
    before = sandbox.project()

    answer = sandbox.call("PATCH", path, body)

    assert (answer.status_code, answer.content_type) == (200, "text/html")
    assert answer.text == "<html>Welcome</html>"
    assert sandbox.project() == before
