"""A person approves, pauses, stops and undoes, and a budget ends it: the whole way, each time.

A real Prometheus sees the load and a real Alertmanager posts. Alertmanager sends nothing twice but
the alert of the budget's test, which has to earn one step after another: what acts without a new
notification acts by itself. Each test has a target of its own. Commands are those that the messages
name, typed as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from tests.e2e.monitoring import Repeats
from tests.e2e.world import World, open_world
from tests.person import WHY, Terminal, command_in, told
from tests.said import field_of
from tests.stack import DROPLET, PROJECT, TOKEN, Json, Stack

pytestmark = pytest.mark.e2e

POOL = "Database Connection Pool Exhausted"
SLOW, SLOW_TRIGGER = "Slow Response Time", "Response Time Above Scaling Trigger"
BUDGET = 72.0
"""Dollars a month for `api`: six instances, and it starts with two."""

RULES = f"""
targets:
  api: {{kind: app_platform, app: "${{API_APP_ID}}", component: api, replicas: {{min: 2, max: 10}}}}
  blog: {{kind: app_platform, app: app-bench-000, component: api, replicas: {{min: 2, max: 10}}}}
  shop: {{kind: app_platform, app: app-bench-001, component: api, replicas: {{min: 2, max: 10}}}}
  worker-vm: {{kind: droplet, droplet: "${{DROPLET_ID}}", sizes: [s-1vcpu-1gb, s-1vcpu-2gb]}}
  database: {{kind: supabase, project: "${{SUPABASE_PROJECT_REF}}", sizes: [ci_micro, ci_small]}}
budget: {{monthly: 900, per_target: {{api: {BUDGET:g}}}, over: approve}}
rules:
  - name: high-cpu
    match: ['alertname=~"High CPU Usage|CPU Above Scaling Trigger"']
    action: horizontal_scale
    target: api
    cooldown: 1s
  - name: slow-responses
    match: ['alertname=~"Slow Response Time|Response Time Above Scaling Trigger"']
    action: horizontal_scale
    target: blog
    cooldown: 1s
  - name: high-error-rate
    match: ['alertname="High Error Rate"']
    action: horizontal_scale
    target: shop
    cooldown: 1s
    mode: approve
    approval: {{from: [approver], wait: 1h, otherwise: hold}}
  - name: high-memory
    match: ['alertname=~"High Memory Usage|Memory Above Scaling Trigger"']
    action: vertical_scale
    target: worker-vm
    cooldown: 1s
  - name: database-connections
    match: ['alertname="Database Connection Pool Exhausted"']
    action: scale_database
    target: database
    cooldown: 1s
"""


@pytest.fixture(scope="module")
def shared(senders: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("steered")
    repeats = Repeats("4d", soon=("cpu",))
    with open_world(home, rules=RULES, repeats=repeats, extra_apps=2) as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.calm_down()
    return shared


@pytest.fixture
def here(world: World) -> Terminal:
    """The terminal of whoever is at the machine."""
    return Terminal(world.stack)


@pytest.fixture(scope="module")
def olga(shared: World) -> Terminal:
    return Terminal(shared.stack).as_person("olga", "operator")


@pytest.fixture(scope="module")
def paul(shared: World) -> Terminal:
    return Terminal(shared.stack).as_person("paul", "approver")


def test_an_approval_is_asked_and_given_and_the_change_is_made_and_verified(
    world: World, olga: Terminal, paul: Terminal
) -> None:
    stack = world.stack
    stack.load(errors_per_s=0.5)
    asked = stack.wait_for(lambda: waiting(stack, "shop"), "an approval")
    command = stack.wait_for(
        lambda: command_in(stack, "Approve? shop: replicas 2 → 3", "Approve"), "the question"
    )

    with stack.explained():
        assert command == f"runbookd approve {asked['id']}"
        assert (asked["before"], asked["after"], asked["from"]) == ("2", "3", ["approver"])
        refused = olga.run(command)
        assert (refused.returncode, "olga may not decide" in refused.stderr) == (1, True)
        assert (instances(stack, "app-bench-001"), app_writes(stack, "app-bench-001")) == (2, [])
        assert stack.one(f"runs/{asked['run']}")["status"] == "waiting"

    said = paul.type(command)
    stack.wait_for(lambda: instances(stack, "app-bench-001") == 3, "the third instance")
    stack.wait_for(stack.settled, "its verification")
    stack.wait_for(lambda: told(stack, "Approved: shop: replicas 2 → 3"), "who approved it")

    with stack.explained():
        [decided] = [each for each in stack.api("approvals") if each["id"] == asked["id"]]
        assert (decided["state"], decided["decided_by"]) == ("approved", "paul")
        run = stack.one(f"runs/{decided['next_run']}")
        assert decided["next_run"] in said
        assert run["status"] == "succeeded"
        assert {step["status"] for step in run["steps"]} == {"done"}
        assert app_writes(stack, "app-bench-001") == ["PUT"]
        assert "Approved by paul" in told(stack, "Approved: shop: replicas 2 → 3")["text"]
        assert told(stack, "Done: shop: replicas 2 → 3")


def test_when_a_person_ends_a_pause_the_open_alert_acts_without_a_new_notification(
    world: World, olga: Terminal
) -> None:
    stack, monitoring = world.stack, world.monitoring
    [before] = monitoring.posted()
    pause = olga.ask("POST", "/pauses", a_pause("database", "30m"))
    stack.load(db_connections=57)
    wait_until_held(stack, POOL)

    with stack.explained():
        assert POOL in monitoring.firing()
        assert (compute(stack), stack.runs(target="database")) == ("ci_micro", [])
        assert monitoring.posted() == [before + 1]

    olga.ask("DELETE", f"/pauses/{pause['id']}")
    run = stack.wait_for(lambda: stack.runs(target="database"), "a run")[0]
    seen = the_alert(stack, POOL)["times_seen"]
    stack.wait_for(lambda: compute(stack) == "ci_small", "the larger database")
    wait_for_the_end(world, POOL)

    with stack.explained():
        assert seen == 1, "nobody has sent it again"
        assert monitoring.posted() == [before + 2], "it fired, and it resolved"
        [ended] = stack.runs(target="database")
        assert (ended["id"], ended["status"]) == (run["id"], "succeeded")


def test_when_a_pause_runs_out_the_open_alert_acts_without_a_new_notification(
    world: World, olga: Terminal
) -> None:
    """It is put beside a longer one, which is ended once the alert is there: so the alert comes
    before the end of the short one, however slow the machine is."""
    stack, monitoring = world.stack, world.monitoring
    longer = olga.ask("POST", "/pauses", a_pause("blog", "30m"))
    known = stack.runs(target="blog")
    stack.load(p95_ms=900)
    wait_until_held(stack, SLOW, SLOW_TRIGGER)
    sent = monitoring.posted()
    short = olga.ask("POST", "/pauses", a_pause("blog", "4s"))
    olga.ask("DELETE", f"/pauses/{longer['id']}")

    stack.wait_for(lambda: instances(stack, "app-bench-000") == 3, "the third instance")
    with stack.explained():
        assert SLOW in monitoring.firing()
        assert monitoring.posted() == sent, "nothing was sent since"
        [run] = [each for each in stack.runs(target="blog") if each not in known]
        assert moment(run["created_at"]) >= moment(short["until"])
        audit = olga.ask("GET", "/audit")["items"]
        ended = [each["what"]["ids"] for each in audit if each["verb"] == "end pause"]
        assert [short["id"]] not in ended, "nobody has ended it"
    stack.wait_for(stack.settled, "its verification")
    with stack.explained():
        assert stack.one(f"runs/{run['id']}")["status"] == "succeeded"


def test_what_a_message_says_to_type_undoes_the_run_and_its_target_is_left_so(
    world: World, here: Terminal
) -> None:
    stack = world.stack
    stack.load(p95_ms=900)
    stack.wait_for(lambda: instances(stack, "app-bench-000") == 3, "the third instance")
    command = stack.wait_for(
        lambda: command_in(stack, "Done: blog: replicas 2 → 3", "Undo it"), "what to type"
    )
    stack.wait_for(stack.settled, "the run to be told")

    done = command.split()[-1]
    here.type(f"{command} --yes")
    stack.wait_for(lambda: instances(stack, "app-bench-000") == 2, "the undo")
    stack.wait_for(stack.settled, "its end")

    with stack.explained():
        undo = stack.runs(target="blog")[-1]
        assert (undo["status"], undo["why"]) == ("succeeded", f"undo of {done}")
        assert the_alert(stack, SLOW)["status"] == "firing"
        [pause] = here.status("blog")["pauses"]
        assert pause["why"] == f"undo of {done}"
        assert app_writes(stack, "app-bench-000") == ["PUT", "PUT"]

    # What was never held waits for the sender's next repeat, so nothing follows from this.
    here.type("runbookd resume blog --why 'the load is gone'")
    with stack.explained():
        assert here.status("blog")["pauses"] == []


def test_what_a_message_says_to_type_stops_a_run_before_its_droplet_goes_off(
    world: World, here: Terminal
) -> None:
    stack = world.stack
    # The run waits for its snapshot until the test ends that.
    stack.fault(vendor="digitalocean", type="snapshot", outcome="hangs")
    stack.load(memory_percent=95)
    begun = "worker-vm: size s-1vcpu-1gb → s-1vcpu-2gb"
    stop = stack.wait_for(lambda: command_in(stack, begun, "Stop it"), "what to type")
    no_more = command_in(stack, begun, "No more of it")
    stack.wait_for(lambda: droplet(stack)["action"], "the snapshot to begin")

    here.type(f"{no_more} --yes")
    here.type(f"{stop} --yes")
    stack.droplet(end="completed")
    run = stop.split()[2]
    stack.wait_for(stack.settled, "the end of the run")

    with stack.explained():
        assert stack.one(f"runs/{run}")["status"] == "cancelled"
        assert (droplet(stack)["size"], droplet(stack)["status"]) == ("s-1vcpu-1gb", "active")
        actions = [each["body"]["type"] for each in stack.calls("digitalocean", "POST")]
        assert actions == ["snapshot"], "it was never switched off"
        assert [each["id"] for each in stack.runs(target="worker-vm")] == [run]
        [pause] = here.status("worker-vm")["pauses"]
        assert pause["why"] == WHY
        assert not stack.state()["pagerduty"]["open"], "nobody is woken by what a person did"


def test_the_budget_lets_four_steps_pass_and_asks_a_person_for_the_fifth(
    world: World, here: Terminal
) -> None:
    stack, monitoring = world.stack, world.monitoring
    # The latency stays: it is another test's alert.
    stack.load(rps=3_000, p95_ms=120)
    asked = stack.wait_for(lambda: waiting(stack, "api"), "the fifth step to be asked for")
    stack.wait_for(lambda: told(stack, "Approve? api: replicas 6 → 7"), "the question")
    [then] = monitoring.posted()
    stack.wait_for(lambda: monitoring.posted()[0] >= then + 3, "the alert to be repeated")

    with stack.explained():
        assert stack.instances() == 6
        ended = [(each["status"], each["plan"]["after"]) for each in stack.runs(target="api")]
        steps = [("succeeded", str(count)) for count in (3, 4, 5, 6)]
        assert ended == [*steps, ("waiting", "7")], "asked once, however often it is repeated"
        assert waiting(stack, "api") == asked
        assert asked["why"] == "api would cost $84 a month, and its budget is $72"
        status = here.status("api")
        price = asked_of_the_vendor(stack, "professional-xs")
        assert status["spend"]["dollars_month"] == 6 * price
        assert (status["budget"], status["spend"]["reserved"]) == (BUDGET, 0.0)
        assert [each["id"] for each in status["approvals"]] == [asked["id"]]
        question = told(stack, "Approve? api: replicas 6 → 7")
        assert field_of(question, "Price") == "$72 → $84 a month (+$12)"
        assert not stack.state()["pagerduty"]["open"]

    stack.load(rps=100)
    stack.wait_for(lambda: not waiting(stack, "api"), "the approval to lapse")
    with stack.explained():
        [lapsed] = [each for each in stack.api("approvals") if each["id"] == asked["id"]]
        assert lapsed["state"] == "lapsed"
        assert stack.instances() == 6


def a_pause(target: str, lasts: str) -> Json:
    return {"target": target, "rule": None, "direction": None, "for": lasts, "why": "a rehearsal"}


def waiting(stack: Stack, target: str) -> Json | None:
    """The one approval that waits on this target, if any does."""
    found = [
        each
        for each in stack.api("approvals")
        if (each["target"], each["state"]) == (target, "waiting")
    ]
    assert len(found) <= 1
    return found[0] if found else None


def wait_until_held(stack: Stack, *names: str) -> None:
    def held() -> bool:
        firing = {each["id"]: each["name"] for each in stack.api("alerts", status="firing")}
        decided = stack.api("decisions", verdict="hold")
        paused = {firing.get(each["alert"]) for each in decided if each["guard"] == "paused"}
        return set(names) <= paused

    stack.wait_for(held, f"a pause to hold {' and '.join(names)}")


def wait_for_the_end(world: World, name: str) -> None:
    stack = world.stack
    stack.wait_for(lambda: the_alert(stack, name)["status"] == "resolved", f"{name} to resolve")
    stack.wait_for(lambda: not world.monitoring.firing(), "Prometheus to be calm")
    stack.wait_for(stack.settled, "every run to be reported")


def the_alert(stack: Stack, name: str) -> Json:
    """The newest alert of this name."""
    return stack.api("alerts", name=name)[0]


def instances(stack: Stack, app: str) -> int:
    count: int = stack.state()["apps"][app]["components"]["api"]["instances"]
    return count


def app_writes(stack: Stack, app: str) -> list[str]:
    """The methods of the calls that changed this app."""
    return [
        call["method"]
        for call in stack.calls("digitalocean")
        if call["method"] != "GET" and call["path"].startswith(f"/v2/apps/{app}")
    ]


def compute(stack: Stack) -> str:
    size: str = stack.state()["supabase"][PROJECT]["compute"]
    return size


def droplet(stack: Stack) -> Json:
    found: Json = stack.state()["droplets"][DROPLET]
    return found


def asked_of_the_vendor(stack: Stack, size: str) -> float:
    """What one instance costs, in dollars a month, by the sandbox's own price list."""
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as anybody:
        address = f"{stack.sandbox_url}/digitalocean/v2/apps/tiers/instance_sizes/{size}"
        return float(anybody.get(address).json()["instance_size"]["usd_per_month"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
