"""Scenarios that an alert starts by a rule, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.domain.alerts.alert import Alert, AlertKind
from service.domain.decisions.approval import Approval
from service.domain.decisions.policy import ACT, APPROVE, SHADOW, Freeze, Policy
from service.domain.people import Person, Role
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.domain.scenarios.scenarios import Scenario
from service.domain.windows import Window
from service.store.explain import explain
from service.store.queries import Queries
from service.triggers.people.asked import Scope
from tests.contract.test_crashes_and_people import TakenUp, both_ways, boundaries
from tests.contract.test_scenarios import OUT, RUSH, STRATEGY, Stand, told
from tests.databases import Databases
from tests.fakes.alerts import NOW, alert, delivery, resolved
from tests.properties.installation import OLGA, opened

pytestmark = pytest.mark.spread
on_both = pytest.mark.spread(None)

SPIKE = "Viral Spike"
COOLDOWN_S = 7_200.0
RULE = Rule(
    "viral-spike",
    (Matcher("alertname", MatchOp.EQUAL, SPIKE),),
    "start_scenario",
    cooldown=timedelta(seconds=COOLDOWN_S),
    options={"scenario": "rush"},
)
STARTED = replace(RUSH, dollars=60.0, rules=("viral-spike",))
FIONA = Person("fiona", frozenset({Role.APPROVER}))


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


class Started(Stand):
    """The same installation with a rule that starts the scenario."""

    def __init__(
        self, engine: sa.Engine, scenario: Scenario = STARTED, policy: Policy | None = None
    ) -> None:
        super().__init__(engine, scenario)
        rule = replace(RULE, policy=policy or Policy())
        self.now.book = replace(self.now.book, rules=(rule,))
        self.now.parts = replace(self.now.parts)
        self.now._build()
        self.people = self.now.people.scenarios

    @property
    def book(self) -> RuleBook:
        return self.now.book

    def fires(self, *alerts: Alert) -> None:
        """The alert fires, or fires again, and the workers do what they have to."""
        self.now.deliver(delivery(*(alerts or (alert(SPIKE),)), at=self.now.clock.now))
        self.now.go_on()

    def looks(self) -> None:
        """A worker looks at what is due, a minute later."""
        self.now.clock.now += 60
        self.now.look_at_scenarios()
        self.now.go_on()

    def resolves(self) -> None:
        self.now.deliver(delivery(resolved(SPIKE), at=self.now.clock.now))
        self.now.go_on()

    def scenarios(self) -> list[str]:
        return [id_ for (id_,) in self.now.rows("SELECT id FROM scenario_runs ORDER BY id")]

    def starts(self) -> dict[str, tuple[str, str]]:
        rows = self.now.rows("SELECT id, status, reason FROM runs WHERE action = 'start_scenario'")
        return {run: (status, reason) for run, status, reason in rows}


@on_both
def test_an_alert_starts_the_scenario_as_a_person_does(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.fires()
    assert stand.starts() == {"rush.start.1": ("succeeded", "scenario rush.1 was started")}
    assert stand.now.go_through("rush.1") == "active"
    assert stand.steps("rush.1") == {"out": "done", "cache": "done", "flush": "done"}
    assert stand.now.apps.values() == {"replicas": 8, "size": "professional-m"}
    (said,) = told(stand)
    assert "\nRule viral-spike started it: Viral Spike" in said
    assert "`runbookd explain rush.start.1`" in said


@both_ways
@pytest.mark.parametrize("boundary", boundaries("start"))
def test_a_worker_that_dies_anywhere_starts_one_scenario(
    engine: sa.Engine, boundary: str, taken_up: TakenUp
) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    first = stand.now.begin()
    first.go_to(boundary)
    taken_up(stand.now, first)
    stand.now.go_on()
    assert stand.scenarios() == ["rush.1"]
    assert stand.starts() == {"rush.start.1": ("succeeded", "scenario rush.1 was started")}


@both_ways
def test_a_start_that_is_repeated_by_other_rules_tells_of_the_scenario_that_it_has_started(
    engine: sa.Engine, taken_up: TakenUp
) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    first = stand.now.begin()
    first.go_to("done:start")
    stand.now.book = replace(stand.book, scenarios={"rush": replace(STARTED, rules=())})
    taken_up(stand.now, first)
    stand.now.go_on()
    assert stand.starts() == {"rush.start.1": ("succeeded", "scenario rush.1 was started")}
    assert [each for each in told(stand) if "was not started" in each] == []


@on_both
def test_it_is_not_started_twice_while_it_goes_on(engine: sa.Engine) -> None:
    stand = Started(engine)
    run = stand.run()
    stand.now.go_through(run)
    stand.fires()
    status, reason = stand.starts()["rush.start.1"]
    assert (status, reason) == ("held", "scenario rush.1 is active already")
    assert stand.scenarios() == ["rush.1"]
    (said,) = [each for each in told(stand) if "was not started" in each]
    assert "Scenario rush.1 is active already." in said


@on_both
def test_a_sender_that_repeats_its_alert_has_people_told_once_that_it_goes_on_already(
    engine: sa.Engine,
) -> None:
    stand = Started(engine)
    stand.now.go_through(stand.run())
    for _ in range(3):
        stand.fires()
        stand.now.clock.now += 61.0
    assert [status for status, _ in stand.starts().values()] == ["held"] * 3
    assert len([each for each in told(stand) if "was not started" in each]) == 1


@on_both
def test_it_rests_for_the_rules_cooldown_after_its_end_whoever_has_started_it(
    engine: sa.Engine,
) -> None:
    stand = Started(engine)
    run = stand.run()
    stand.now.go_through(run)
    stand.people.undo(OLGA, run, "the rush is over")
    stand.now.go_through(run)
    ended = stand.now.clock.now
    stand.fires()
    assert stand.starts()["rush.start.1"][1].startswith("scenario rush.1 has ended at ")
    stand.now.clock.now = ended + COOLDOWN_S - 1
    stand.fires()
    assert stand.scenarios() == ["rush.1"]
    stand.now.clock.now = ended + COOLDOWN_S + 60
    stand.fires()
    assert stand.scenarios() == ["rush.1", "rush.2"]


def test_two_groups_of_alerts_start_one_scenario(engine: sa.Engine) -> None:
    stand = Started(engine)
    for region in ("a", "b"):
        group = {"alertname": SPIKE, "region": region}
        stand.now.deliver(delivery(alert(SPIKE, region), group=group, at=stand.now.clock.now))
    stand.now.go_on()
    assert stand.scenarios() == ["rush.1"]
    assert list(stand.starts()) == ["rush.start.1"]


def test_a_rule_in_shadow_only_plans_it_and_tells_where_the_plan_is(engine: sa.Engine) -> None:
    stand = Started(engine, policy=Policy(SHADOW))
    stand.fires()
    assert stand.starts()["shadow.rush.start.1"][0] == "shadow"
    assert stand.now.go_through("rush.1") == "planned"
    assert stand.now.apps.writes.effective == []
    (said,) = told(stand)
    assert said.startswith("Shadow: scenario rush would have been started")
    assert "`runbookd scenarios rush.1`" in said


def test_a_rule_in_mode_approve_has_the_whole_of_it_approved(engine: sa.Engine) -> None:
    approval = Approval(("approver",), 900.0)
    stand = Started(engine, policy=Policy(APPROVE, approval=approval))
    stand.fires()
    assert stand.now.go_through("rush.1") == "waiting"
    assert stand.now.apps.writes.effective == []
    stand.people.decide(FIONA, "rush.1", "approved")
    assert stand.now.go_through("rush.1") == "active"


def test_a_scenario_that_asks_for_approval_waits_for_it(engine: sa.Engine) -> None:
    stand = Started(engine, replace(STARTED, approval=Approval(), above=10.0))
    stand.fires()
    assert stand.now.go_through("rush.1") == "waiting"
    assert stand.now.apps.writes.effective == []


@on_both
def test_a_pause_of_all_its_targets_holds_the_start_until_it_is_lifted(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.put("pause", Scope(), "1h")
    stand.fires()
    assert stand.starts() == {}
    (decision,) = stand.now.rows("SELECT verdict, guard FROM decisions")
    assert decision == ("hold", "paused")
    stand.now.lift("pause")
    stand.now.drain()
    assert stand.scenarios() == ["rush.1"]


def test_a_pause_of_the_rule_holds_the_start(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.put("pause", Scope(rule="viral-spike"), "1h")
    stand.fires()
    assert stand.starts() == {}


def test_a_pause_of_one_target_holds_only_its_steps(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.put("pause", Scope(target="api"), "1h")
    stand.fires()
    assert stand.scenarios() == ["rush.1"]
    for _ in range(3):
        stand.looks()
    assert stand.now.apps.writes.effective == []
    assert stand.steps("rush.1")["out"] == "pending"
    assert stand.steps("rush.1")["cache"] == "done"


def test_a_freeze_window_of_all_its_targets_holds_the_start(engine: sa.Engine) -> None:
    always = Freeze(Window(), why="the audit")
    stand = Started(engine, policy=Policy(ACT, (always,)))
    stand.fires()
    assert stand.starts() == {}
    ((guard,),) = stand.now.rows("SELECT guard FROM decisions")
    assert guard == "frozen"


def test_an_alert_without_a_value_starts_nothing_and_is_told(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.fires(replace(alert(SPIKE), kind=AlertKind.NO_DATA))
    assert stand.starts() == {}
    assert stand.scenarios() == []
    assert told(stand) != []


def test_an_alert_that_has_resolved_meanwhile_starts_nothing(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    stand.resolves()
    assert stand.starts()["rush.start.1"] == (
        "held",
        "Every alert that asked for it has resolved meanwhile.",
    )
    assert stand.scenarios() == []


def test_a_start_that_a_person_has_cancelled_starts_nothing(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    stand.now.begin().go_to("begun:start")
    now = stand.now.clock.now
    assert stand.now.runs.cancel("rush.start.1", "olga", "not now", now, lambda connection: None)
    stand.now.go_on()
    assert stand.starts()["rush.start.1"][0] == "cancelled"
    assert stand.scenarios() == []


def test_a_scenario_on_one_of_its_targets_holds_the_start(engine: sa.Engine) -> None:
    stand = Started(engine)
    other = Scenario("other", (STRATEGY,))
    stand.now.book = replace(stand.book, scenarios={**stand.book.scenarios, "other": other})
    run = stand.run("other")
    stand.fires()
    assert stand.starts()["rush.start.1"] == (
        "held",
        f"scenario {run} goes on, and changes app-cache too",
    )


def test_a_rule_that_the_scenario_no_longer_names_starts_nothing(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    stand.now.book = replace(stand.book, scenarios={"rush": replace(STARTED, rules=())})
    stand.now.go_on()
    status, reason = stand.starts()["rush.start.1"]
    assert status == "failed"
    assert "rule viral-spike may not start it" in reason


@on_both
def test_its_end_waits_while_the_alert_fires_that_started_it_and_is_paged_until_it_is_over(
    engine: sa.Engine,
) -> None:
    stand = Started(engine, replace(STARTED, dollars=None, steps=(OUT,)))
    stand.fires()
    assert stand.now.go_through("rush.1") == "active"
    stand.looks()
    assert stand.now.pager.open == {}, "it is not over its time yet"
    stand.now.clock.now += 3_700
    stand.fires()  # its sender repeats it
    stand.looks()
    assert stand.now.rows("SELECT state FROM scenario_runs") == [("active",)]
    assert stand.now.apps.values()["replicas"] == 8
    (page,) = stand.now.pager.open.values()
    assert page.summary.startswith("Scenario rush.1 is over its time, at $0.5")
    assert "an alert of rule viral-spike still asks for more" in page.summary
    stand.resolves()
    assert stand.now.go_through("rush.1") == "undone"
    assert stand.now.apps.values()["replicas"] == 2
    assert stand.now.pager.open == {}, "it is over, so nobody is asked to look at it"


def test_a_resolved_alert_does_not_end_it_before_its_time(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.fires()
    assert stand.now.go_through("rush.1") == "active"
    stand.resolves()
    stand.now.clock.now += 1_800
    assert stand.now.go_through("rush.1") == "active"
    assert stand.now.apps.values()["replicas"] == 8


def answered(stand: Started, of: str) -> dict[str, str]:
    """The ten answers about an alert or a run."""
    found = explain(Queries(stand.now.engine), of, lambda alert: {}, stand.now.clock.now)
    assert found is not None
    return {each["question"]: each["answer"] for each in found["answers"]}


@on_both
def test_explaining_the_alert_names_the_scenario_and_how_to_stop_and_undo_it(
    engine: sa.Engine,
) -> None:
    stand = Started(engine)
    stand.fires()
    assert answered(stand, SPIKE)["to stop it"] == "runbookd cancel rush.1 --why WHY (stop it)"
    stand.now.go_through("rush.1")
    found = answered(stand, SPIKE)
    assert found == answered(stand, "rush.start.1")
    assert found["what was done"] == (
        "Scenario rush.1 was started. It is active: done: out, cache, flush."
    )
    assert found["now"] == "The alert still fires. Scenario rush.1 is active."
    assert found["next"].startswith("It is in force until ")
    assert found["to stop it"] == "runbookd undo rush.1 (take it back now)"
    assert found["to undo it"] == "runbookd undo rush.1"
    stand.people.undo(OLGA, "rush.1", "the rush is over")
    stand.now.go_through("rush.1")
    found = answered(stand, SPIKE)
    assert found["next"] == "Nothing more of it follows."
    assert found["to stop it"].startswith("nothing: ")


def test_explaining_an_alert_whose_start_was_held_says_why(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.go_through(stand.run())
    stand.fires()
    found = answered(stand, SPIKE)
    assert found["why not"] == "scenario rush.1 is active already."
    assert found["what was done"].endswith("Nothing was changed.")


@on_both
@pytest.mark.parametrize("kind", ["pause", "lock"])
def test_a_control_that_comes_between_the_alert_and_the_worker_holds_the_start_until_it_is_lifted(
    engine: sa.Engine, kind: str
) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    for target in ("api", "app-cache"):
        stand.now.put(kind, Scope(target=target), "1h")
    stand.now.go_on()
    status, reason = stand.starts()["rush.start.1"]
    assert (status, stand.scenarios()) == ("held", [])
    assert "by olga" in reason
    (said,) = told(stand)
    assert "Once that is over, the alert is judged again by itself." in said
    stand.now.lift(kind)
    stand.now.drain()
    assert stand.scenarios() == ["rush.1"]


def test_a_control_of_one_target_that_comes_before_the_worker_holds_only_its_steps(
    engine: sa.Engine,
) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    stand.now.put("pause", Scope(target="api"), "1h")
    stand.now.go_on()
    assert stand.scenarios() == ["rush.1"]


def test_a_freeze_window_that_opens_before_the_worker_holds_the_start_until_it_closes(
    engine: sa.Engine,
) -> None:
    minute = int(NOW // 60) % 1440
    window = Window(start=minute + 1, end=minute + 11)
    stand = Started(engine, policy=Policy(ACT, (Freeze(window, why="the audit"),)))
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    stand.now.clock.now += 120
    stand.now.go_on()
    status, reason = stand.starts()["rush.start.1"]
    assert (status, stand.scenarios()) == ("held", [])
    assert "frozen until" in reason
    stand.now.clock.now += 660
    stand.now.drain()
    assert stand.scenarios() == ["rush.1"]


def test_a_start_that_a_person_has_cancelled_is_not_held_by_a_pause(engine: sa.Engine) -> None:
    stand = Started(engine)
    stand.now.deliver(delivery(alert(SPIKE), at=stand.now.clock.now))
    stand.now.begin().go_to("begun:start")
    now = stand.now.clock.now
    assert stand.now.runs.cancel("rush.start.1", "olga", "not now", now, lambda connection: None)
    stand.now.put("pause", Scope(), "1h")
    stand.now.work(0, 50)
    assert stand.starts()["rush.start.1"][0] == "cancelled"
