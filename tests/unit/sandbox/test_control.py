"""The person's side: load, metrics over time, reset, and bad input."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.support import PROJECT, Sandbox


def test_a_load_changes_only_what_it_names() -> None:
    sandbox = Sandbox()
    sandbox.load(rps=360)
    sandbox.load(memory_percent=95, db_connections=57)
    state = sandbox.state()
    assert state["load"] == {
        "rps": 360,
        "memory_percent": 95,
        "errors_per_s": 0,
        "p95_ms": None,
        "db_connections": 57,
    }
    assert state["metrics"]["cpu_percent"] == 90
    assert state["metrics"]["memory_percent"] == 95
    assert state["metrics"]["db_connections_available"] == 3


@pytest.mark.parametrize(
    "load",
    [
        [],
        "fast",
        {"rps": -1},
        {"rps": "1"},
        {"rps": True},
        {"rps": None},
        {"db_connections": 1.5},
        {"p95_ms": 60_001},
        {"users": 3},
    ],
)
def test_a_load_that_makes_no_sense_is_refused_with_one_sentence(load: Any) -> None:
    sandbox = Sandbox()
    before = sandbox.state()["load"]
    answer = sandbox.call("POST", "/_sandbox/load", load)
    assert answer.status_code == 422
    assert (answer.json or {})["error"].endswith(".")
    assert sandbox.state()["load"] == before


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"nothing"])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    answer = Sandbox().client.post("/_sandbox/load", data=body)
    assert answer.status_code == 422


def test_a_latency_that_was_set_can_be_left_to_the_load_again() -> None:
    sandbox = Sandbox()
    sandbox.load(p95_ms=650)
    assert sandbox.state()["metrics"]["p95_ms"] == 650
    sandbox.load(p95_ms=None)
    assert sandbox.state()["metrics"]["p95_ms"] == 120


def test_counters_add_up_what_the_load_was_over_time() -> None:
    sandbox = Sandbox()
    sandbox.clock.pass_by(10)
    sandbox.load(rps=200, errors_per_s=5)
    sandbox.clock.pass_by(10)
    metrics = sandbox.metrics()
    assert metrics['http_requests_total{code="200",service="api"}'] == 10 * 100 + 10 * 195
    assert metrics['http_requests_total{code="500",service="api"}'] == 50
    assert metrics['http_request_errors_total{service="api"}'] == 50
    assert metrics['http_request_duration_milliseconds_count{service="api"}'] == 3000
    assert metrics["cache_requests_total"] == 3000
    assert metrics["cache_hits_total"] / metrics["cache_requests_total"] == pytest.approx(0.9)


def test_latency_is_counted_under_the_capacity_of_its_time() -> None:
    looked_at, left_alone = Sandbox(), Sandbox()
    for sandbox in (looked_at, left_alone):
        sandbox.load(rps=600)
        sandbox.scaled(instance_count=4)
    for _ in range(20):
        looked_at.clock.pass_by(1)
        looked_at.state()
    left_alone.clock.pass_by(20)
    # Overloaded for 10 s on 2 instances (p95 675 ms), calm for 10 s on 4 (120 ms).
    within_250 = 'http_request_duration_milliseconds_bucket{le="250",service="api"}'
    counted = [sandbox.metrics()[within_250] for sandbox in (looked_at, left_alone)]
    assert counted[0] == pytest.approx(counted[1])
    assert 6000 < counted[0] < 12000 * 0.8


def test_each_running_instance_exports_its_cpu_and_a_droplet_that_is_off_no_memory() -> None:
    sandbox = Sandbox(action_seconds=0.0)
    sandbox.load(rps=360)
    cpu = 'cpu_usage{instance="api-2",service="api"}'
    memory = 'memory_usage{instance="worker-vm",service="worker"}'
    assert cpu not in sandbox.metrics()
    assert sandbox.metrics()[memory] == 45
    sandbox.scaled(instance_count=3)
    sandbox.act("power_off")
    assert sandbox.metrics()[cpu] == pytest.approx(60)
    assert memory not in sandbox.metrics()


def test_a_reset_forgets_everything_and_may_change_how_it_goes_on() -> None:
    sandbox = Sandbox()
    fresh = sandbox.state()
    sandbox.load(rps=900, errors_per_s=3)
    sandbox.act("power_off")
    sandbox.scaled(instance_count=5)
    sandbox.call("POST", "/slack/api/chat.postMessage", {"channel": "#ops", "text": "x"})
    sandbox.call("POST", "/_sandbox/faults", {"status": 500, "path": "/none"})
    answer = sandbox.call("POST", "/_sandbox/reset", {"action_seconds": 2, "rate_limits": True})
    assert (answer.json or {})["action_seconds"] == 2
    assert sandbox.calls() == []
    assert sandbox.call("GET", "/_sandbox/faults").json == []
    assert _shape(sandbox.state()) == _shape(fresh)
    sandbox.act("power_off")
    sandbox.clock.pass_by(2)
    assert sandbox.droplet()["status"] == "off"
    assert sandbox.client.post("/_sandbox/reset").status_code == 200
    assert sandbox.state()["config"] == fresh["config"]


def _shape(state: Any) -> Any:
    """What of a state must be as at the start: all but ids and how it is configured."""
    kept = {name: state[name] for name in ("droplets", "pagerduty", "slack", "load", "metrics")}
    return kept | {"supabase": state["supabase"][PROJECT]}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"action_seconds": -1},
        {"action_seconds": "2"},
        {"rate_limits": 1},
        {"extra_apps": 1001},
        {"extra_apps": True},
        {"app_id": "other"},
    ],
)
def test_a_reset_that_makes_no_sense_is_refused_and_resets_nothing(body: Any) -> None:
    sandbox = Sandbox()
    sandbox.load(rps=900)
    assert sandbox.call("POST", "/_sandbox/reset", body).status_code == 422
    assert sandbox.state()["load"]["rps"] == 900


def test_a_sandbox_starts_with_the_targets_it_was_given() -> None:
    sandbox = Sandbox(app_id="app-x", droplet_id=7, supabase_ref="abcdefghijklmnopqrst")
    state = sandbox.state()
    assert (list(state["apps"]), list(state["droplets"])) == (["app-x"], ["7"])
    assert list(state["supabase"]) == ["abcdefghijklmnopqrst"]


@pytest.mark.parametrize("path", ["/aws/v2/x", "/_sandbox/other"])
def test_a_vendor_that_is_not_here_is_named_as_such(path: str) -> None:
    answer = Sandbox().call("GET", path)
    assert answer.status_code == 404
    assert "digitalocean" in (answer.json or {})["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/digitalocean/v2/account",
            {"id": "unauthorized", "message": "Unable to authenticate you."},
        ),
        (f"/supabase/v1/projects/{PROJECT}", {"message": "Unauthorized"}),
    ],
)
def test_without_a_token_each_vendor_answers_its_own_401(path: str, body: Any) -> None:
    answer = Sandbox().call("GET", path, token=None)
    assert (answer.status_code, answer.json) == (401, body)
