"""Each of the runbook's alerts, from the load that causes it to the people who hear of it.

A real Prometheus reads the sandbox's metrics, a real Alertmanager posts; nothing is sent by the
tests themselves. The loads' effects are the sandbox's (service/sandbox/quizmentor/load.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.e2e.monitoring import REFIRE_GRACE_S, SPEED
from tests.e2e.world import World
from tests.stack import APP, DROPLET, PROJECT, Json, Stack

pytestmark = pytest.mark.e2e

CPU, CPU_TRIGGER = "High CPU Usage", "CPU Above Scaling Trigger"
MEMORY, MEMORY_TRIGGER = "High Memory Usage", "Memory Above Scaling Trigger"
SLOW, SLOW_TRIGGER = "Slow Response Time", "Response Time Above Scaling Trigger"
ERRORS = "High Error Rate"
POOL = "Database Connection Pool Exhausted"

COOLDOWN_S = 600 / SPEED
"""horizontal_scale's, in the shipped rules: ten minutes."""


def test_high_cpu_usage_adds_one_instance_and_resolves_by_itself(world: World) -> None:
    stack, monitoring = world.stack, world.monitoring
    stack.load(rps=360)

    stack.wait_for(lambda: CPU in monitoring.firing(), "Prometheus to fire")
    stack.wait_for(lambda: stack.instances() == 3, "the third instance")
    wait_for_the_end(world, CPU, CPU_TRIGGER)

    with stack.explained():
        assert stack.instances() == 3
        assert outcomes(stack, "api") == [("api.out.1", "succeeded")]
        run = stack.one("runs/api.out.1")
        assert (run["plan"]["before"], run["plan"]["after"]) == ("2", "3")
        assert {step["status"] for step in run["steps"]} == {"done"}
        assert writes(stack, "digitalocean") == [("PUT", f"/v2/apps/{APP}")]
        assert acts(stack, target="api") == ["api.out.1"], "70 % and 80 % made one step"
        [act] = stack.api("decisions", verdict="act", target="api")
        explained = stack.one(f"alerts/{act['alert']}/explain")
        assert [run["id"] for run in explained["runs"]] == ["api.out.1"]
        assert act["reason"] in {decision["reason"] for decision in explained["decisions"]}
        assert_one_story(stack, "Done: api: replicas 2 → 3")
        assert_a_change_and_no_incident(stack, "api.out.1")


def test_high_memory_usage_resizes_the_droplet_and_resolves_by_itself(world: World) -> None:
    stack = world.stack
    stack.load(memory_percent=95)

    wait_for_the_end(world, MEMORY, MEMORY_TRIGGER)

    with stack.explained():
        droplet = stack.state()["droplets"][DROPLET]
        assert (droplet["size"], droplet["status"]) == ("s-1vcpu-2gb", "active")
        assert [one["name"].startswith("pre-scale-") for one in droplet["snapshots"]] == [True]
        assert outcomes(stack, "worker-vm") == [("worker-vm.up.1", "succeeded")]
        assert acts(stack, target="worker-vm") == ["worker-vm.up.1"]
        kinds = [call["body"]["type"] for call in stack.calls("digitalocean", "POST")]
        assert kinds == ["snapshot", "shutdown", "resize", "power_on"]
        assert_one_story(stack, "Done: worker-vm: size s-1vcpu-1gb → s-1vcpu-2gb")
        assert_a_change_and_no_incident(stack, "worker-vm.up.1")


def test_high_error_rate_is_one_incident_that_ends_after_the_refire_grace(world: World) -> None:
    stack = world.stack
    # Half a percent of the requests: above the alert's 0.01 a second, below the trigger's 1 %.
    stack.load(errors_per_s=0.5)
    [incident] = stack.wait_for(lambda: pager(stack)["open"], "an open incident")
    stack.load(errors_per_s=0)

    wait_for_the_end(world, ERRORS)
    stack.wait_for(lambda: pager(stack)["resolved"], "the incident to be resolved")

    with stack.explained():
        assert "High Error Rate" in incident["summary"]
        assert incident["severity"] == "critical"
        assert incident["links"], "the page leads to the alert"
        assert not pager(stack)["open"]
        [resolved] = pager(stack)["resolved"]
        assert resolved["dedup_key"] == incident["dedup_key"]
        assert resolved["count"] == 1, "one page, however often the alert was repeated"
        told = moment(stack.api("alerts", name=ERRORS)[0]["resolved_at"])
        assert moment(resolved["changed_at"]) - told >= timedelta(seconds=REFIRE_GRACE_S)
        [message] = stack.state()["slack"]["messages"]
        assert message["text"].startswith("Resolved: ")
        assert message["edited"]
        assert not writes(stack, "digitalocean")


def test_slow_response_time_is_investigated_with_readings_from_prometheus(world: World) -> None:
    stack = world.stack
    stack.load(p95_ms=900)
    stack.wait_for(lambda: messages_about(stack, SLOW), "a message")
    stack.load(p95_ms=None)

    wait_for_the_end(world, SLOW, SLOW_TRIGGER)

    with stack.explained():
        [message] = messages_about(stack, SLOW)
        assert messages_about(stack, SLOW_TRIGGER) == [message], "the trigger is the same question"
        text = message["blocks"][1]["text"]["text"]
        assert "Do first: check the network and the CDN" in text
        assert "CPU &gt; 70 %? no: 25 %" in text
        assert "Memory &gt; 80 %? no: 45 %" in text
        assert "Free database connections &lt; 5? no: 40" in text
        assert "Cache hit ratio &lt; 80 %? no: 90 %" in text
        assert not stack.calls("pagerduty")
        assert not writes(stack, "digitalocean")
        assert not writes(stack, "supabase")


def test_an_exhausted_pool_makes_the_database_larger_and_resolves_by_itself(world: World) -> None:
    stack = world.stack
    stack.load(db_connections=57)

    wait_for_the_end(world, POOL)

    with stack.explained():
        project = stack.state()["supabase"][PROJECT]
        assert (project["compute"], project["status"]) == ("ci_small", "ACTIVE_HEALTHY")
        assert outcomes(stack, "database") == [("database.up.1", "succeeded")]
        assert [method for method, _ in writes(stack, "supabase")] == ["PATCH"]
        assert_one_story(stack, "Done: database: compute ci_micro → ci_small")
        assert_a_change_and_no_incident(stack, "database.up.1")


def test_load_that_rises_earns_two_steps_and_load_that_falls_has_both_taken_back(
    new_world: Callable[[], World],
) -> None:
    world = new_world()
    stack = world.stack
    # 125 % of two instances, 83 % of three, 63 % of four.
    stack.load(rps=500)

    stack.wait_for(lambda: stack.instances() == 3, "the first step")
    stack.wait_for(lambda: stack.instances() == 4, "the second step")
    wait_for_the_end(world, CPU, CPU_TRIGGER)

    with stack.explained():
        assert stack.instances() == 4
        assert outcomes(stack, "api") == [("api.out.1", "succeeded"), ("api.out.2", "succeeded")]
        assert sorted(acts(stack, target="api")) == ["api.out.1", "api.out.2"]
        assert writes(stack, "digitalocean") == [("PUT", f"/v2/apps/{APP}")] * 2
        first, second = stack.runs(target="api")
        rested = moment(second["created_at"]) - moment(first["ended_at"])
        assert rested >= timedelta(seconds=COOLDOWN_S)

    # 25 % of four instances, and 50 % of two: there is room, and nobody asks for more.
    stack.load(rps=100)
    stack.wait_for(lambda: stack.instances() == 3, "the first step back")
    stack.wait_for(lambda: stack.instances() == 2, "the second step back")
    stack.wait_for(stack.settled, "every run to be reported")

    with stack.explained():
        back = [("api.return.1", "succeeded"), ("api.return.2", "succeeded")]
        assert [each for each in outcomes(stack, "api") if "return" in each[0]] == back
        assert stack.one("status")["targets"]["api"]["added"] == []
        titles = [each["text"].splitlines()[0] for each in stack.state()["slack"]["messages"]]
        [last] = [each for each in titles if each.startswith("Done: api: replicas 3 → 2")]
        assert "Taken back because alerts of rule high-cpu made replicas 2 → 3" in last
        assert not pager(stack)["open"]
        assert not pager(stack)["resolved"], "nobody was ever paged"


def test_two_alertmanagers_that_both_post_make_one_step(
    new_world: Callable[[int], World],
) -> None:
    world = new_world(2)
    stack = world.stack
    stack.load(rps=360)

    stack.wait_for(lambda: stack.instances() == 3, "the third instance")
    wait_for_the_end(world, CPU, CPU_TRIGGER)
    stack.wait_for(lambda: min(world.monitoring.posted()) > 0, "both of them to have posted")

    with stack.explained():
        assert stack.instances() == 3
        assert outcomes(stack, "api") == [("api.out.1", "succeeded")]
        assert writes(stack, "digitalocean") == [("PUT", f"/v2/apps/{APP}")]


def wait_for_the_end(world: World, *names: str) -> None:
    """The alerts have fired, been kept, and resolved, and every run has told its outcome."""
    stack, monitoring = world.stack, world.monitoring
    for name in names:
        stack.wait_for(partial(fired_and_resolved, stack, name), f"{name} to fire and resolve")
    stack.wait_for(lambda: not monitoring.firing(), "Prometheus to be calm")
    stack.wait_for(stack.settled, "every run to be reported")


def fired_and_resolved(stack: Stack, name: str) -> bool:
    return {each["status"] for each in stack.api("alerts", name=name)} == {"resolved"}


def outcomes(stack: Stack, target: str) -> list[tuple[str, str]]:
    return [(run["id"], run["status"]) for run in stack.runs(target=target)]


def acts(stack: Stack, **filters: str) -> list[str]:
    """The runs that decisions have begun."""
    return [each["run"] for each in stack.api("decisions", verdict="act", **filters)]


def writes(stack: Stack, vendor: str) -> list[tuple[str, str]]:
    """The vendor calls that change something."""
    return [
        (call["method"], call["path"])
        for call in stack.calls(vendor)
        if call["method"] != "GET" and not call["path"].endswith("/read-only")
    ]


def pager(stack: Stack) -> Json:
    found: Json = stack.state()["pagerduty"]
    return found


def messages_about(stack: Stack, name: str) -> list[Json]:
    messages: list[Json] = stack.state()["slack"]["messages"]
    titles = [(each, each["text"].splitlines()[0]) for each in messages]
    return [each for each, title in titles if title.startswith("Investigate: ") and name in title]


def assert_one_story(stack: Stack, title: str) -> None:
    """One announcement, edited to its end, and everything else in its thread."""
    parent, *thread = stack.state()["slack"]["messages"]
    assert parent["edited"]
    assert parent["text"].startswith(title)
    assert {message["thread_ts"] for message in thread} == {parent["ts"]}


def assert_a_change_and_no_incident(stack: Stack, run: str) -> None:
    assert [change["custom_details"]["run"] for change in pager(stack)["changes"]] == [run]
    assert not pager(stack)["open"]
    assert not pager(stack)["resolved"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
