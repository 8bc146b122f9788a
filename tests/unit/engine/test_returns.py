"""What alerts added is taken back in calm, a step at a time, and by nobody's impatience."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from service.catalogue.registry import change_of
from service.catalogue.request_json import dump_request
from service.domain.capacity.ledger import Addition, Entry
from service.domain.decisions.controls import HOLD, PAUSE, Control
from service.domain.decisions.policy import OFF, SHADOW, Policy
from service.domain.decisions.requests import RETURN, Request, Wanted
from service.domain.decisions.returns import Asker, Return
from service.domain.errors import FailureKind
from service.domain.rules.rules import Rule, RuleBook
from service.domain.windows import Window
from service.engine.execution import execute
from service.engine.looks import LOOK_EVERY_S, LookRound
from service.engine.parts import WorkerParts
from service.engine.returns import ASK_EVERY_S, ReturnRound
from tests.fakes.apps import FakeApps
from tests.fakes.engine import FakeRuns, FakeWorker, Recorder
from tests.fakes.faults import vendor_error
from tests.fakes.runs import API, WORKER, works_on
from tests.fakes.telling import FakeMetrics

CPU = "avg(cpu_usage)"
HALF_AN_HOUR = 1_800.0


def rule(name: str = "high-cpu", target: str = "api", **policy: Any) -> Rule:
    kept = Policy(**{"returns": Return(HALF_AN_HOUR), **policy})
    action = "horizontal_scale" if target == "api" else "vertical_scale"
    return Rule(name, (), action, target, settle=timedelta(minutes=5), policy=kept)


def book(*rules: Rule) -> RuleBook:
    return RuleBook(rules, {"api": API, "worker-vm": WORKER}, "0123456789ab")


class World:
    """An API with four replicas, two of which an alert added an hour ago. Since then it is calm."""

    def __init__(self) -> None:
        self.worker = FakeWorker()
        self.apps = FakeApps(self.worker.clock)
        self.apps.set_count("api", 4)
        self.metrics = self.worker.metrics = FakeMetrics({CPU: 30.0})
        self.worker.book = book(rule())
        self.worker.ledger.put(self.entry(4, (2, 3), (3, 4)))
        self.round = ReturnRound(self.parts)

    def entry(self, value: int, *steps: tuple[int, int], **changes: Any) -> Entry:
        ago = self.worker.clock.time() - 3_600
        additions = tuple(
            Addition(f"api.out.{number}", "high-cpu", before, after, ago, ("alert-1",))
            for number, (before, after) in enumerate(steps, 1)
        )
        return replace(Entry("api", "replicas", value, ago, additions), **changes)

    @property
    def parts(self) -> WorkerParts:
        works = works_on(self.worker.clock, apps=self.apps).by_kind
        return replace(
            self.worker.parts,
            change_of=partial(change_of, works),
            work_of=lambda target: works[target.kind],
        )

    def asked(self) -> list[Request]:
        """What a round asks for."""
        self.worker.clock.sleep(ASK_EVERY_S)
        self.round(True)
        return [each.request for each in self.worker.runs.rows.values()]

    def waits(self) -> str:
        assert self.asked() == []
        (entry,) = self.worker.ledger.entries()
        return entry.waits

    def run(self, request: Request) -> str:
        execute(self.parts, request.id, dump_request(request), Recorder())
        return self.worker.runs.outcomes[request.id].status


@pytest.fixture
def world() -> World:
    return World()


def test_a_step_is_asked_for_with_the_addition_that_it_takes_back(world: World) -> None:
    (request,) = world.asked()
    assert (request.id, request.claim, request.direction) == ("api.return.1", "api.return", "in")
    assert request.wanted == (Wanted("replicas", by=-1),)
    assert request.expects == (Wanted("replicas", to=4),)
    assert (request.origin.kind, request.origin.by) == (RETURN, "high-cpu")
    assert "made replicas 3 → 4" in request.origin.why
    assert "(run api.out.2), and it is calm" in request.origin.why
    assert (request.cooldown_s, request.settle_s) == (HALF_AN_HOUR, 300.0)


def test_the_step_is_taken_and_told_and_nobody_is_paged(world: World) -> None:
    (request,) = world.asked()
    assert world.run(request) == "succeeded"
    assert world.apps.running("api")["instance_count"] == 3
    said = world.worker.said()[0]
    assert "Done: api: replicas 4 → 3" in said
    assert "What is left of what alerts added may be taken back in 30 min" in said
    assert world.worker.pager.open == {}


def test_the_last_step_says_that_nothing_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = world.asked()
    conclude = FakeRuns.conclude

    def last(runs: FakeRuns, *arguments: Any, **more: Any) -> bool:
        world.worker.ledger.put(world.entry(3))
        return conclude(runs, *arguments, **more)

    monkeypatch.setattr(FakeRuns, "conclude", last)
    world.run(request)
    assert "Nothing is left of what alerts had added." in world.worker.said()[0]


def test_while_a_return_is_under_way_no_second_one_is_asked_for(world: World) -> None:
    assert len(world.asked()) == 1
    assert len(world.asked()) == 1


@pytest.mark.parametrize(
    ("hold", "saw"),
    [
        (Asker("High CPU Usage", fires=True), "High CPU Usage still fires"),
        (60.0, "CPU in percent is 60, and would be 80 after the step; it has to stay below 70"),
        (None, "there is no reading of CPU in percent: Prometheus has no data for avg(cpu_usage)"),
        ("High Error Rate", "the incident about High Error Rate is open"),
        (PAUSE, "api is paused until"),
        (HOLD, "api is held as it is until"),
        (5_000.0, "api was changed and settles until"),
    ],
    ids=["alert", "load", "no data", "incident", "pause", "hold", "settling"],
)
def test_what_holds_it_is_kept_for_people_and_nothing_is_queued(
    world: World, hold: object, saw: str
) -> None:
    now = world.worker.clock.time()
    if isinstance(hold, Asker):
        world.worker.ledger.asking.append(hold)
    elif hold in (PAUSE, HOLD):
        control = Control("c-1", str(hold), "anna", "the exam", now, now + 9_000, "api")
        world.worker.controls.rows.append(control)
    elif hold == "High Error Rate":
        world.worker.ledger.paged.append(("High Error Rate", "api"))
    elif hold == 5_000.0:
        world.worker.runs.settles["api"] = now + 5_000
    else:
        world.metrics.values = {} if hold is None else {CPU: float(str(hold))}
        world.apps.cpu_percent = None
    assert saw in world.waits()


def test_without_prometheus_the_vendors_own_reading_counts(world: World) -> None:
    world.metrics.values[CPU] = vendor_error(FailureKind.TEMPORARY, "Prometheus is away.")
    world.apps.cpu_percent = 30.0
    assert len(world.asked()) == 1


def test_a_reading_of_the_rules_own_is_asked_for_and_compared_with_its_limit(world: World) -> None:
    returns = Return(HALF_AN_HOUR, reading="sum(rps)", below=300.0)
    world.worker.book = book(rule(returns=returns))
    world.metrics.values["sum(rps)"] = 240.0
    assert "sum(rps) is 240, and would be 320 after the step" in world.waits()
    world.metrics.values["sum(rps)"] = 210.0
    assert len(world.asked()) == 1


def test_it_waits_until_it_was_calm_for_as_long_as_the_rule_asks(world: World) -> None:
    world.worker.ledger.put(world.entry(4, (2, 3), (3, 4), doubled=2))
    assert "it takes 2 h" in world.waits()
    world.worker.clock.sleep(3_600)
    assert len(world.asked()) == 1


def test_what_is_not_calm_any_more_when_the_worker_looks_is_held_and_told_to_nobody(
    world: World,
) -> None:
    (request,) = world.asked()
    world.worker.ledger.asking.append(Asker("High CPU Usage", fires=True))
    assert world.run(request) == "held"
    assert world.apps.running("api")["instance_count"] == 4
    assert world.worker.said() == []
    outcome = world.worker.runs.outcomes[request.id]
    assert outcome.cooldown_until == world.worker.clock.time() + HALF_AN_HOUR
    assert world.worker.runs.again == []


def test_what_a_person_has_changed_since_is_left_as_it_is_and_held(world: World) -> None:
    (request,) = world.asked()
    world.apps.set_count("api", 6)
    world.worker.clock.sleep(1)
    assert world.run(request) == "held"
    assert world.apps.running("api")["instance_count"] == 6
    assert any(
        said.startswith("Held as a person has set it: api: replicas 4 → 6")
        for said in world.worker.said()
    )


def test_a_look_every_ten_minutes_finds_what_a_person_has_set_at_the_vendor(world: World) -> None:
    looks = LookRound(world.parts)
    looks(True)
    assert world.worker.said() == [], "four replicas are what we have set"
    world.apps.set_count("api", 6)
    world.worker.clock.sleep(LOOK_EVERY_S)
    looks(True)
    (said,) = world.worker.said()
    assert "Alerts may add to it. Nothing is taken away by itself." in said
    assert world.worker.ledger.entries()[0].additions == ()


def test_a_rule_in_shadow_tells_what_it_would_have_taken_back_on_a_claim_of_its_own(
    world: World,
) -> None:
    world.worker.book = book(rule(mode=SHADOW))
    (request,) = world.asked()
    assert request.claim == "shadow.api.return"
    assert world.run(request) == "shadow"
    assert world.apps.running("api")["instance_count"] == 4


@pytest.mark.parametrize(
    "rules",
    [
        None,
        book(),
        book(rule(returns=None)),
        book(rule(mode=OFF)),
        book(rule("another")),
        book(rule(target="worker-vm")),
    ],
    ids=["no rules", "no rule", "no return", "off", "another rule", "another target by now"],
)
def test_without_a_rule_that_takes_it_back_it_stays(world: World, rules: RuleBook | None) -> None:
    world.worker.book = rules
    assert world.asked() == []


def droplet_world(window: Window | None) -> World:
    world = World()
    ago = world.worker.clock.time() - 3_600
    small, large = WORKER.sizes[:2]
    added = Addition("worker-vm.up.1", "high-memory", small, large, ago, ("alert-1",))
    world.worker.ledger.rows.clear()
    world.worker.ledger.put(Entry("worker-vm", "size", large, ago, (added,)))
    world.metrics.values["avg(memory_usage)"] = 30.0
    returns = Return(HALF_AN_HOUR, window=window)
    world.worker.book = book(rule("high-memory", "worker-vm", returns=returns))
    return world


def test_what_takes_the_target_down_is_asked_of_a_person_where_no_window_is_given() -> None:
    world = droplet_world(None)
    (request,) = world.asked()
    world.worker.execute(replace(request, expects=()))
    (asking,) = world.worker.approvals.waiting()
    assert asking.why == "it takes worker-vm down, and its rule names no window for that"
    assert world.worker.change.value == "small"


def test_in_its_window_it_is_done_without_asking_and_outside_it_waits() -> None:
    world = droplet_world(Window(start=0, end=1))
    assert "taking it back takes worker-vm down, so it waits for its window" in world.waits()
    world = droplet_world(Window())
    (request,) = world.asked()
    assert request.wanted == (Wanted("size", by=-1),)
    assert request.direction == "down"
    world.worker.execute(replace(request, expects=()))
    assert world.worker.approvals.waiting() == []
    assert world.worker.change.changes == ["change"]
