"""However often, from however many senders and however Redis fares: one run, one vendor write.

Two real web processes and a worker share one database and one Redis. Every test takes a target of
its own, an app of the sandbox, so that one stack serves them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from service.store.coordination import connect
from service.store.database import open_engine
from service.store.facts import FactStore
from tests.databases import POSTGRES, SQLITE
from tests.redis_servers import EMBEDDED, REDIS_7, RedisServer
from tests.stack import Json, Options, Stack, alert, new_sender, notification

TARGETS = 24
"""More than there are tests, so that none meets another one's cooldown."""

AT_ONCE = 50
ROUNDS = 5
"""Of the storm of fifty: two processes that both won a claim were seen in every second round."""
WEBS = ("web", "web-2")

PAIRS = ((SQLITE, EMBEDDED), (POSTGRES, REDIS_7))
"""What one machine runs embedded, and what servers run. Each database and each Redis is met once:
neither knows of the other, so the two remaining pairs would show nothing new."""

BRIEF_S = 1
"""The cooldown of the rules for the alert "Brief"; that of the others outlasts the test."""


@dataclass(frozen=True)
class Target:
    """One app with a rule of its own, and what happened to it."""

    stack: Stack
    name: str
    app: str

    @property
    def claim(self) -> str:
        return f"{self.name}.out"

    def alert(self, name: str = "High CPU Usage", instance: int = 0) -> Json:
        return alert(name, service=self.name, instance=f"{self.name}-{instance}")

    def notification(self, *alerts: Json) -> Json:
        given = alerts or (self.alert(),)
        return notification(*given, alertname=given[0]["labels"]["alertname"], service=self.name)

    def kept(self) -> Json:
        """Its first instance's alert, as it is on record."""
        labels = self.alert()["labels"]
        alerts = self.stack.api("alerts", name=labels["alertname"])
        return next(each for each in alerts if each["labels"] == labels)

    def runs(self) -> list[Json]:
        return self.stack.runs(target=self.name)

    def writes(self) -> list[Json]:
        """The calls that changed this app."""
        calls = self.stack.calls("digitalocean", "PUT")
        return [call for call in calls if call["path"] == f"/v2/apps/{self.app}"]

    def instances(self) -> int:
        count: int = self.stack.state()["apps"][self.app]["components"]["api"]["instances"]
        return count

    def wait_for_runs(self, count: int = 1) -> None:
        """Until so many runs have succeeded and been reported."""
        self.stack.wait_for(
            lambda: (
                [run["status"] for run in self.runs()] == ["succeeded"] * count
                and self.stack.settled()
            ),
            f"{count} run(s) on {self.name}",
        )

    def assert_one_step(self) -> None:
        """One run, one write, one instance more."""
        self.wait_for_runs()
        with self.stack.explained():
            assert [run["id"] for run in self.runs()] == [f"{self.claim}.1"]
            assert len(self.writes()) == 1
            assert self.instances() == 3


# ---- Fixtures ----


@pytest.fixture(scope="module", params=PAIRS, ids="+".join)
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    backend, redis_version = request.param
    home = tmp_path_factory.mktemp("storm")
    url = request.getfixturevalue("postgres").create() if backend == POSTGRES else ""
    options = Options(rules=(rule_file(home),), database_url=url, redis=redis_version)
    with Stack(home / "stack", options) as stack:
        stack.start()
        stack.start_web(WEBS[1])
        stack.reset(extra_apps=TARGETS)
        yield stack


@pytest.fixture(scope="module")
def new_target(stack: Stack) -> Callable[[], Target]:
    numbers = itertools.count()

    def make() -> Target:
        number = next(numbers)
        return Target(stack, f"api-{number}", f"app-bench-{number:03}")

    return make


@pytest.fixture
def target(new_target: Callable[[], Target]) -> Target:
    return new_target()


@pytest.fixture
def redis(stack: Stack) -> Iterator[RedisServer]:
    """The stack's Redis, which a test may ill-treat; it is well again afterwards."""
    server = stack.redis
    assert server is not None
    yield server
    server.process.kill()
    server.snapshot.unlink(missing_ok=True)
    server.start()


def rule_file(home: Path) -> Path:
    """A target for each number, with two rules that act once and one that may act again."""
    numbers = range(TARGETS)
    targets = "".join(_TARGET.format(number=number, app=f"{number:03}") for number in numbers)
    rules = "".join(_RULES.format(number=number, brief=BRIEF_S) for number in numbers)
    path = home / "storm.yml"
    path.write_text(f"targets:\n{targets}rules:\n{rules}", encoding="utf-8")
    return path


_TARGET = """\
  api-{number}:
    {{kind: app_platform, app: app-bench-{app}, component: api, replicas: {{min: 2, max: 10}}}}
"""
_RULES = """\
  - name: once-{number}
    match: ['service="api-{number}"', 'alertname=~"High CPU Usage|Request Rate"']
    action: horizontal_scale
    target: api-{number}
    cooldown: 1h
  - name: once-too-{number}
    match: ['service="api-{number}"', 'alertname="Queue Length"']
    action: horizontal_scale
    target: api-{number}
    cooldown: 1h
  - name: brief-{number}
    match: ['service="api-{number}"', 'alertname="Brief"']
    action: horizontal_scale
    target: api-{number}
    cooldown: {brief}s
"""


# ---- Storms ----


def test_one_notification_posted_fifty_times_at_once_is_one_run(
    new_target: Callable[[], Target],
) -> None:
    targets = [new_target() for _ in range(ROUNDS)]

    for target in targets:
        answers = post_at_once(target.stack, [target.notification()] * AT_ONCE)
        verdicts = sorted(verdict for answer in answers for verdict in verdicts_of(answer))
        assert verdicts == ["act"] + ["hold"] * (AT_ONCE - 1)

    for target in targets:
        target.assert_one_step()
        assert target.kept()["times_seen"] == AT_ONCE


def test_ten_alerts_of_ten_instances_in_one_notification_are_one_run(target: Target) -> None:
    payload = target.notification(*(target.alert(instance=number) for number in range(10)))

    answers = post_at_once(target.stack, [payload])

    assert sorted(verdicts_of(answers[0])) == ["act"] + ["hold"] * 9
    target.assert_one_step()
    [run] = target.runs()
    assert len(run["alerts"]) == 10, "the run knows all that asked for it"


def test_alerts_of_several_rules_on_one_target_at_once_are_one_run(target: Target) -> None:
    payloads = [
        target.notification(target.alert(name, instance=number))
        for number in range(8)
        for name in ("High CPU Usage", "Request Rate", "Queue Length")
    ]

    answers = post_at_once(target.stack, payloads)

    verdicts = sorted(verdict for answer in answers for verdict in verdicts_of(answer))
    assert verdicts == ["act"] + ["hold"] * (len(payloads) - 1)
    target.assert_one_step()


def test_five_retries_are_held_and_say_why(target: Target) -> None:
    payload = target.notification()
    answers = [target.stack.post(payload, web=WEBS[number % 2]) for number in range(6)]

    assert [verdicts_of(answer) for answer in answers] == [["act"]] + [["hold"]] * 5
    target.assert_one_step()
    [late] = target.stack.post(payload).json()["decisions"]
    assert late["verdict"] == "hold"
    assert late["guard"] == "cooldown"
    assert late["until"], "it says until when"
    assert f"{target.claim}.1" in late["reason"]


def test_a_retry_after_a_web_process_died_half_way_is_one_run(target: Target) -> None:
    # What a process leaves that dies between Redis and the database: a hold, and nothing else.
    stack = target.stack
    assert stack.redis is not None
    engine = open_engine(stack.database_url)
    gate = connect(stack.redis.url, 5.0, FactStore(engine).installation_id)
    assert gate.ask([target.claim], "of-the-dead").cooling == {}
    engine.dispose()
    changed = target.notification(target.alert(), target.alert(instance=1))

    answers = [stack.post(changed, web=web) for web in WEBS]

    assert sorted(verdicts_of(answers[0])) == ["act", "hold"]
    assert verdicts_of(answers[1]) == ["hold", "hold"]
    target.assert_one_step()


def test_a_web_process_killed_in_a_storm_costs_no_alert_and_adds_no_run(target: Target) -> None:
    stack = target.stack
    payload = target.notification()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [pool.submit(post_somehow, stack, payload, WEBS[1]) for _ in range(AT_ONCE)]
        wait(sent, return_when=FIRST_COMPLETED)
        stack.processes[WEBS[1]].kill()
        answers = [each.result() for each in sent]
    # Senders try again, at whoever is there, what was not answered 2xx.
    unanswered = answers.count(None)
    retried = post_at_once(stack, [payload] * (unanswered + 1), webs=WEBS[:1])
    stack.start_web(WEBS[1])

    answered = [*retried, *(answer for answer in answers if answer is not None)]
    assert {answer.status_code for answer in answered} == {httpx.codes.OK}
    target.assert_one_step()
    assert target.kept()["times_seen"] >= len(answered), "2xx means kept"


# ---- Redis in trouble ----


def goes_down(server: RedisServer, _earlier: bytes) -> None:
    server.process.kill()


def hangs(server: RedisServer, _earlier: bytes) -> None:
    server.process.pause()


def is_flushed(server: RedisServer, _earlier: bytes) -> None:
    server.client.flushall()


def is_restored(server: RedisServer, earlier: bytes) -> None:
    server.restore(earlier)


Trouble = Callable[[RedisServer, bytes], None]
TROUBLES = pytest.mark.parametrize("trouble", [goes_down, hangs, is_flushed, is_restored])


@TROUBLES
def test_a_run_under_way_stays_the_only_one_whatever_redis_does(
    target: Target, redis: RedisServer, trouble: Trouble
) -> None:
    stack, payload = target.stack, target.notification()
    earlier = redis.save()
    worker = stack.pause_worker()
    assert verdicts_of(stack.post(payload)) == ["act"]

    trouble(redis, earlier)
    answers = post_at_once(stack, [payload] * 10)
    worker.resume()

    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert {verdict for answer in answers for verdict in verdicts_of(answer)} == {"hold"}
    target.assert_one_step()
    assert verdicts_of(stack.post(payload)) == ["hold"], "the cooldown is kept in SQL"


@TROUBLES
def test_the_next_step_is_taken_after_the_cooldown_whatever_redis_does(
    target: Target, redis: RedisServer, trouble: Trouble
) -> None:
    stack, payload = target.stack, target.notification(target.alert("Brief"))
    worker = stack.pause_worker()
    assert verdicts_of(stack.post(payload)) == ["act"]
    # Redis as it is while the run is under way: it says that the claim rests.
    earlier = redis.save()
    worker.resume()
    target.wait_for_runs()

    trouble(redis, earlier)
    acted = stack.wait_for(lambda: acting(stack.post(payload)), "the next step")

    assert acted["run"] == f"{target.claim}.2"
    target.wait_for_runs(2)
    assert len(target.writes()) == 2
    assert target.instances() == 4


def test_a_decision_without_redis_says_so(target: Target, redis: RedisServer) -> None:
    redis.process.kill()

    [decision] = target.stack.post(target.notification()).json()["decisions"]

    [kept] = target.stack.api("decisions", alert=decision["alert"])
    *_, gate, cooldown = kept["checks"]
    assert gate["guard"] == "redis_gate"
    assert "decided on SQL alone" in gate["saw"]
    assert cooldown["passed"]
    ready = target.stack.http.get(f"{target.stack.web_urls['web']}/readyz")
    assert ready.status_code == httpx.codes.OK
    assert "SQL alone" in ready.json()["redis"]
    target.assert_one_step()


# ---- Helpers ----


def post_at_once(
    stack: Stack, payloads: list[Json], webs: tuple[str, ...] = WEBS
) -> list[httpx.Response]:
    """Send all of them at the same moment, to the web processes in turn."""
    barrier = Barrier(len(payloads))

    def send(number: int) -> httpx.Response:
        with new_sender() as sender:
            barrier.wait(timeout=30.0)
            return stack.post(payloads[number], webs[number % len(webs)], sender=sender)

    with ThreadPoolExecutor(len(payloads)) as pool:
        return list(pool.map(send, range(len(payloads))))


def post_somehow(stack: Stack, payload: Json, web: str) -> httpx.Response | None:
    """The answer, or None when the process died over it."""
    try:
        with new_sender() as sender:
            return stack.post(payload, web, sender=sender)
    except httpx.TransportError:
        return None


def verdicts_of(answer: httpx.Response) -> list[str]:
    assert answer.status_code == httpx.codes.OK, answer.text
    return [decision["verdict"] for decision in answer.json()["decisions"]]


def acting(answer: httpx.Response) -> Json | None:
    """The decision that began a run, if one did."""
    decisions: list[Json] = answer.json()["decisions"]
    return next((each for each in decisions if each["verdict"] == "act"), None)
