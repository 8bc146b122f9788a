"""Scenarios from their start to their end, and back, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.cache.strategies import DEFAULTS, fields_of
from service.catalogue.cache.target import SETTINGS, CacheTarget
from service.domain.decisions.approval import Approval
from service.domain.people import Conflict, Forbidden, Person, Role
from service.domain.rules.rules import RuleBook, Target
from service.domain.scenarios.scenarios import Scenario, Step
from service.engine.scenarios import ScenarioRound
from service.triggers.people.asked import Scope
from tests.databases import Databases
from tests.fakes.alerts import CPU, alert, delivery, resolved, rule_book
from tests.fakes.caches import FakeCache
from tests.fakes.clock import FakeClock
from tests.fakes.telling import FakeMessenger
from tests.properties.installation import OLGA, Installation, opened

pytestmark = pytest.mark.spread
"""On PostgreSQL `make test` tries those alone whose statements differ there: `on_both`."""
on_both = pytest.mark.spread(None)

SIZES = ("professional-xs", "professional-s", "professional-m", "professional-l")
API = AppTarget("api", "app-1", "api", 2, 10, SIZES, limit=20)
CACHE = CacheTarget("app-cache", prefixes=("cache:",))
BY_HAND = {"ttl": "600"}
OUT = Step("out", "set_capacity", "api", {"replicas": 8, "size": "professional-m"}, restores=True)
STRATEGY = Step(
    "cache", "set_cache_strategy", "app-cache", {"strategy": "aggressive"}, restores=True
)
FLUSH = Step(
    "flush", "flush_cache", "app-cache", options={"prefixes": ["cache:"]}, after=("out", "cache")
)
WATCHED = {"for": "2h", "every": "5m", "target": "api", "readings": ["rps", "cpu > 80"]}
RUSH = Scenario("rush", (OUT, STRATEGY, FLUSH), lasts_s=3_600.0)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


class Stand:
    """An installation with an app, a database and a cache, and these scenarios."""

    def __init__(self, engine: sa.Engine, *scenarios: Scenario) -> None:
        targets: dict[str, Target] = {"api": API, "app-cache": CACHE}
        by_name = {each.name: each for each in scenarios}
        book = RuleBook((), targets, "0123456789ab", scenarios=by_name)
        self.cache = FakeCache(
            FakeClock(), {SETTINGS: dict(BY_HAND), "cache:1": "x", "session:1": "me"}
        )
        self.now = Installation(engine, book, {"cache": self.cache})
        self.cache.clock = self.now.clock
        self.people = self.now.people.scenarios

    def run(self, name: str = "rush") -> str:
        return self.people.start(OLGA, name, "we are on the news").run

    def steps(self, run: str) -> dict[str, str]:
        found = self.now.scenarios.get(run)
        assert found is not None
        return {each.step.id: each.state for each in found.steps}

    def backs(self, run: str) -> dict[str, str]:
        found = self.now.scenarios.get(run)
        assert found is not None
        return {each.step.id: each.back_state for each in found.steps if each.back_state}


@on_both
def test_a_scenario_ends_with_exactly_what_its_steps_say(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    run = stand.run()
    assert run == "rush.1"
    assert stand.now.go_through(run) == "active"
    assert stand.steps(run) == {"out": "done", "cache": "done", "flush": "done"}
    assert stand.now.apps.values() == {"replicas": 8, "size": "professional-m"}
    assert stand.cache.keys == {SETTINGS: fields_of("aggressive", DEFAULTS), "session:1": "me"}
    assert stand.now.apps.writes.effective == ["update_app"]


@on_both
def test_a_step_that_watches_is_done_once_it_watches_and_holds_up_nothing(
    engine: sa.Engine,
) -> None:
    watch = Step("watch", "watch", options=WATCHED, after=("out",))
    last = replace(FLUSH, after=("watch", "cache"))
    stand = Stand(engine, replace(RUSH, steps=(OUT, STRATEGY, watch, last)))
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    assert set(stand.steps(run).values()) == {"done"}
    watching = stand.now.runs.get(f"{run}.watch.1")
    assert watching is not None
    assert watching.status == "running"
    stand.people.undo(OLGA, run, "the rush is over")
    assert stand.now.go_through(run) == "undone"


def told(stand: Stand) -> list[str]:
    return [f"{each.title}\n{each.text}" for each in stand.now.messenger.messages.values()]


def test_its_one_message_names_what_was_done_and_its_steps_have_none(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    run = stand.run()
    stand.now.go_through(run)
    (said,) = told(stand)
    assert said.startswith("Scenario rush: in force\nolga started it: we are on the news.")
    assert (
        "• Done: out, set_capacity of api: replicas 2 → 8; size professional-xs → "
        "professional-m" in said
    )
    assert "Then it is taken back, unless an alert still asks for more." in said
    assert stand.now.pager.open == {}


@on_both
def test_the_way_back_puts_back_in_the_reverse_order_what_was_there(engine: sa.Engine) -> None:
    stand = Stand(engine, replace(RUSH, lasts_s=None))
    run = stand.run()
    assert stand.now.go_through(run) == "done"
    stand.people.undo(OLGA, run, "the rush is over")
    assert stand.now.go_through(run) == "undone"
    assert stand.now.apps.values() == {"replicas": 2, "size": "professional-xs"}
    assert stand.cache.keys == {SETTINGS: BY_HAND, "session:1": "me"}
    assert stand.backs(run) == {"out": "restored", "cache": "restored"}


def test_steps_are_taken_back_only_once_what_came_after_them_is(engine: sa.Engine) -> None:
    after = replace(STRATEGY, after=("out",))
    stand = Stand(engine, replace(RUSH, steps=(OUT, after), lasts_s=None))
    run = stand.run()
    stand.now.go_through(run)
    stand.people.undo(OLGA, run)
    ScenarioRound(stand.now.parts)(True)
    assert stand.backs(run) == {"out": "pending", "cache": "under way"}
    stand.now.go_through(run)
    assert stand.backs(run) == {"out": "restored", "cache": "restored"}


def test_what_a_person_has_changed_since_is_left(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    run = stand.run()
    stand.now.go_through(run)
    stand.now.apps.person_sets(instance_count=9)
    stand.people.undo(OLGA, run)
    assert stand.now.go_through(run) == "undone"
    assert stand.backs(run) == {"out": "left", "cache": "restored"}
    assert stand.now.apps.values() == {"replicas": 9, "size": "professional-m"}
    assert "left as it is: out" in told(stand)[0]


def test_its_end_takes_it_back_by_itself(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    run = stand.run()
    stand.now.go_through(run)
    stand.now.clock.now += 3_000.0
    assert stand.now.go_through(run) == "active"
    stand.now.clock.now += 700.0
    assert stand.now.go_through(run) == "undone"
    assert stand.now.apps.values() == {"replicas": 2, "size": "professional-xs"}


def test_a_scenario_ends_when_what_it_may_spend_is_spent(engine: sa.Engine) -> None:
    """8 × $50 instead of 2 × $12 are $376 a month, or 51.5 cents an hour: $5.15 in ten hours."""
    stand = Stand(engine, replace(RUSH, lasts_s=None, dollars=5.15))
    run = stand.run()
    began = stand.now.clock.now
    stand.now.go_through(run)
    ((due_at,),) = stand.now.rows("SELECT due_at FROM scenario_runs")
    assert 9.9 < (due_at - began) / 3600 < 10.1


def test_a_plan_changes_nothing_and_tells_each_step(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    started = stand.people.start(OLGA, "rush", "a plan", plan_only=True)
    assert stand.now.go_through(started.run) == "planned"
    assert stand.now.apps.writes.sent == 0
    assert stand.cache.writes.sent == 0
    found = stand.now.scenarios.get(started.run)
    assert found is not None
    plans = [each.plan.plan for each in found.steps if each.plan]
    assert [each.after for each in plans if each] == ["8 × professional-m", "aggressive", "removed"]
    assert told(stand) == []
    with pytest.raises(Conflict, match="only one that changed something is taken back"):
        stand.people.undo(OLGA, started.run)


def test_a_step_that_fails_stops_those_that_have_not_begun_and_pages(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    stand.now.next_write("refused for good")
    run = stand.run()
    assert stand.now.go_through(run) == "active"
    assert stand.steps(run) == {"out": "failed", "cache": "done", "flush": "left out"}
    assert "cache:1" in stand.cache.keys
    (page,) = [each for key, each in stand.now.pager.open.items() if key.endswith(run)]
    assert page.summary.startswith(f"Scenario {run} did not do step out: ")
    (said,) = told(stand)
    assert "Failed: out" in said
    assert "• Left out: flush, flush_cache of app-cache (step out was not done)" in said


def test_what_may_go_on_after_a_failure_does(engine: sa.Engine) -> None:
    quietly = replace(OUT, on_failure="continue")
    stand = Stand(engine, replace(RUSH, steps=(quietly, STRATEGY, FLUSH), lasts_s=None))
    stand.now.next_write("refused for good")
    run = stand.run()
    assert stand.now.go_through(run) == "incomplete"
    assert stand.steps(run) == {"out": "failed", "cache": "done", "flush": "done"}


def test_what_comes_after_a_failure_that_pages_is_left_out_and_the_rest_goes_on(
    engine: sa.Engine,
) -> None:
    loud, other = replace(OUT, on_failure="page"), replace(FLUSH, after=("cache",))
    last = replace(other, id="last", after=("out",))
    stand = Stand(engine, replace(RUSH, steps=(loud, STRATEGY, other, last)))
    stand.now.next_write("refused for good")
    run = stand.run()
    stand.now.go_through(run)
    expected = {"out": "failed", "cache": "done", "flush": "done", "last": "left out"}
    assert stand.steps(run) == expected


def test_a_failure_that_says_undo_takes_back_what_was_done(engine: sa.Engine) -> None:
    undoing = replace(OUT, on_failure="undo", after=("cache",))
    stand = Stand(engine, replace(RUSH, steps=(STRATEGY, undoing)))
    stand.now.next_write("refused for good")
    run = stand.run()
    assert stand.now.go_through(run) == "undone"
    assert stand.cache.keys[SETTINGS] == BY_HAND


def test_what_is_there_already_is_done_and_is_not_taken_back(engine: sa.Engine) -> None:
    small = replace(OUT, to={"replicas": 2})
    stand = Stand(engine, replace(RUSH, steps=(small, STRATEGY), lasts_s=None))
    run = stand.run()
    assert stand.now.go_through(run) == "done"
    stand.people.undo(OLGA, run)
    stand.now.go_through(run)
    assert stand.backs(run) == {"cache": "restored"}
    assert stand.now.apps.writes.sent == 0


def test_a_scenario_never_takes_away_what_there_is_more_of(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    stand.now.apps.person_sets(instance_count=12, instance_size_slug="professional-l")
    stand.now.clock.now += 600
    run = stand.run()
    stand.now.go_through(run)
    assert stand.now.apps.values() == {"replicas": 12, "size": "professional-l"}
    assert stand.steps(run)["out"] == "done"


def test_a_pause_holds_what_has_not_begun_until_it_ends(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    stand.now.people.put(OLGA, "pause", Scope("api"), "30m", "a deployment")
    run = stand.run()
    for _ in range(4):
        ScenarioRound(stand.now.parts)(True)
        stand.now.go_on()
        stand.now.clock.now += 6
    assert stand.steps(run) == {"out": "pending", "cache": "done", "flush": "pending"}
    assert "api is paused until" in told(stand)[0]
    stand.now.people.resume(OLGA, "api")
    stand.now.go_through(run)
    assert stand.now.apps.values()["replicas"] == 8


def test_after_a_cancel_no_step_begins_and_the_way_back_is_still_open(engine: sa.Engine) -> None:
    stand = Stand(engine, replace(RUSH, lasts_s=None))
    run = stand.run()
    ScenarioRound(stand.now.parts)(True)
    stand.people.cancel(OLGA, run, "a false alarm")
    assert stand.now.go_through(run) == "cancelled"
    assert stand.steps(run) == {"out": "done", "cache": "done", "flush": "left out"}
    stand.people.undo(OLGA, run)
    assert stand.now.go_through(run) == "undone"
    assert stand.now.apps.values()["replicas"] == 2


APPROVED = replace(RUSH, approval=Approval(("finance",)), above=200.0)
FINN = Person("finn", frozenset({Role.VIEWER}), frozenset({"finance"}))


@on_both
def test_a_scenario_above_its_dollars_waits_for_whom_it_names(engine: sa.Engine) -> None:
    stand = Stand(engine, APPROVED)
    run = stand.run()
    assert stand.now.go_through(run) == "waiting"
    assert stand.now.apps.writes.sent == 0
    assert "because it adds $376 a month, and is asked above $200. `runbookd app" in told(stand)[0]
    (waiting,) = stand.now.people.approvals(10)
    assert (waiting["id"], waiting["price_after"], waiting["from"]) == (run, 376.0, ["finance"])
    with pytest.raises(Forbidden, match="it wants finance"):
        stand.people.decide(OLGA, run, "approved")
    stand.people.decide(FINN, run, "approved", "for the news")
    assert stand.now.go_through(run) == "active"
    assert stand.now.apps.values()["replicas"] == 8


def test_another_plan_than_the_approved_one_is_asked_again(engine: sa.Engine) -> None:
    stand = Stand(engine, APPROVED)
    run = stand.run()
    stand.now.go_through(run)
    stand.now.apps.person_sets(instance_count=4)
    stand.now.clock.now += 600
    stand.people.decide(FINN, run, "approved")
    assert stand.now.go_through(run) == "waiting"
    assert "what was approved has changed meanwhile" in told(stand)[0]
    assert stand.now.apps.values()["replicas"] == 4


@pytest.mark.parametrize(("otherwise", "pages"), [("hold", 0), ("page", 1)])
def test_what_nobody_approves_in_time_is_not_begun(
    engine: sa.Engine, otherwise: str, pages: int
) -> None:
    approval = Approval(("finance",), otherwise=otherwise)
    stand = Stand(engine, replace(APPROVED, approval=approval))
    run = stand.run()
    stand.now.go_through(run)
    stand.now.clock.now += 901
    assert stand.now.go_through(run) == "rejected"
    assert stand.now.apps.writes.sent == 0
    assert len(stand.now.pager.open) == pages


def test_a_small_scenario_is_begun_without_asking(engine: sa.Engine) -> None:
    stand = Stand(engine, replace(APPROVED, above=400.0))
    run = stand.run()
    assert stand.now.go_through(run) == "active"


@on_both
def test_a_second_scenario_on_a_target_is_refused_and_an_emergency_suspends_the_first(
    engine: sa.Engine,
) -> None:
    other = replace(RUSH, name="other", steps=(replace(OUT, to={"replicas": 9}),))
    worst = replace(other, name="worst", emergency=True)
    stand = Stand(engine, RUSH, other, worst)
    run = stand.run()
    ScenarioRound(stand.now.parts)(True)
    with pytest.raises(Conflict, match=r"Scenario rush.1 is running, and changes api too"):
        stand.run("other")
    started = stand.people.start(OLGA, "worst", "it is worse")
    assert started.suspended == (run,)
    assert stand.now.go_through(started.run) == "active"
    assert stand.steps(run)["flush"] == "left out"
    assert stand.now.apps.values()["replicas"] == 9


WORST = replace(RUSH, name="worst", emergency=True, steps=(replace(OUT, to={"replicas": 12}),))


@on_both
@pytest.mark.parametrize("by_person", [True, False])
def test_a_way_back_that_an_emergency_suspends_takes_nothing_away_until_a_person_says_undo(
    engine: sa.Engine, *, by_person: bool
) -> None:
    after = replace(STRATEGY, after=("out",))
    stand = Stand(engine, replace(RUSH, steps=(OUT, after)), WORST)
    now = stand.now
    run = stand.run()
    now.go_through(run)
    if by_person:
        stand.people.undo(OLGA, run, "the rush is over")
    else:
        now.clock.now += 3_700.0
    ScenarioRound(now.parts)(True)
    assert stand.backs(run) == {"out": "pending", "cache": "under way"}
    started = stand.people.start(OLGA, "worst", "all is down")
    assert started.suspended == (run,)
    for _ in range(5):
        now.go_on()
        now.clock.now += 61.0
        ScenarioRound(now.parts)(True)
    assert stand.backs(run) == {"out": "pending", "cache": "restored"}
    assert now.apps.values()["replicas"] == 12
    said = f"held, because worst was started ({started.run}). Once that is over, type `runbookd"
    assert said in told(stand)[0]
    stand.people.undo(OLGA, started.run)
    now.go_through(started.run)
    stand.people.undo(OLGA, run, "the emergency is over")
    assert now.go_through(run) == "undone"
    assert stand.backs(run) == {"out": "restored", "cache": "restored"}
    assert now.apps.values()["replicas"] == 2


def test_a_way_back_is_suspended_again_by_the_next_emergency(engine: sa.Engine) -> None:
    stand = Stand(engine, replace(RUSH, steps=(OUT,)), WORST, replace(WORST, name="other"))
    now = stand.now
    run = stand.run()
    now.go_through(run)
    stand.people.start(OLGA, "worst", "all is down")
    stand.people.undo(OLGA, run, "it is over")
    assert run in stand.people.start(OLGA, "other", "all is down again").suspended
    ScenarioRound(now.parts)(True)
    assert stand.backs(run) == {"out": "pending"}


@on_both
def test_an_emergency_lifts_what_stands_in_its_way_and_asks_nobody(engine: sa.Engine) -> None:
    stand = Stand(engine, replace(APPROVED, approval=None, emergency=True))
    stand.now.people.put(OLGA, "lock", Scope("api"), "30m", "a deployment")
    stand.now.people.put(OLGA, "pause", Scope(), "30m", "the vendor is down")
    stand.now.people.put(OLGA, "hold", Scope("app-cache"), "30m", "it is mine")
    paul = Person("paul", frozenset({Role.OPERATOR}))
    started = stand.people.start(paul, "rush", "all is down")
    assert sorted(each.kind for each in started.lifted) == ["lock", "pause"]
    assert stand.now.go_through(started.run) == "active"
    assert stand.now.apps.values()["replicas"] == 8
    assert [each.kind for each in stand.now.controls.in_force()] == ["hold"]


def test_at_its_end_nothing_is_taken_away_while_an_alert_asks_for_more(engine: sa.Engine) -> None:
    stand = Stand(engine, RUSH)
    now = stand.now
    now.book = replace(now.book, rules=rule_book().rules[:1])
    now._build()
    stand.people = now.people.scenarios
    run = stand.run()
    now.go_through(run)
    now.clock.now += 3_590.0
    now.deliver(delivery(alert(CPU), at=now.clock.now))
    now.go_on()
    count = now.apps.values()["replicas"]
    now.clock.now += 20.0
    for _ in range(3):
        ScenarioRound(now.parts)(True)
        now.clock.now += 61.0
    assert now.apps.values()["replicas"] == count
    (page,) = [each for key, each in now.pager.open.items() if key.endswith(run)]
    assert "is over its time, at $0.5" in page.summary
    assert f"{CPU} still asks for more" in page.summary
    now.deliver(delivery(resolved(CPU), at=now.clock.now))
    now.go_on()
    now.clock.now += 61.0
    now.go_through(run)
    assert now.rows("SELECT state FROM scenario_runs") == [("undone",)]


def test_while_it_is_in_force_nothing_but_a_person_goes_below_what_it_has_set(
    engine: sa.Engine,
) -> None:
    stand = Stand(engine, RUSH)
    now = stand.now
    (rule,) = rule_book().rules[:1]
    fewer = {"replicas": 3, "size": None, "exact": True}
    now.book = replace(now.book, rules=(replace(rule, action="set_capacity", options=fewer),))
    now._build()
    stand.people = now.people.scenarios
    run = stand.run()
    now.go_through(run)
    assert now.scenarios.floors("api") == {
        "replicas": (8, run),
        "size": ("professional-m", run),
    }
    now.deliver(delivery(alert(CPU), at=now.clock.now))
    now.go_on()
    (held,) = now.rows("SELECT status, reason FROM runs WHERE rule = :rule", rule=rule.name)
    assert held[0] == "held"
    assert f"scenario {run} is in force and has set replicas of api to 8" in held[1]
    assert now.apps.values()["replicas"] == 8
    now.people.run(OLGA, "set_capacity", "api", to={"replicas": 4}, why="it is enough")
    now.go_on()
    assert now.apps.values()["replicas"] == 4


def test_what_was_told_is_not_told_again_at_the_next_look(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(engine, RUSH)
    run = stand.run()
    stand.now.go_through(run)
    edits: list[str] = []
    monkeypatch.setattr(
        FakeMessenger, "update", lambda self, ref, message: edits.append(message.title)
    )
    for _ in range(3):
        stand.now.clock.now += 61.0
        ScenarioRound(stand.now.parts)(True)
    assert edits == []
    stand.people.undo(OLGA, run)
    stand.now.go_through(run)
    assert edits[-1] == "Scenario rush: undone"
