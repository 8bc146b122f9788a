"""Sign-offs of scenarios: who signs, which plan, and who is reminded. On both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.decisions.approval import Approval
from service.domain.decisions.budget import Budget
from service.domain.decisions.policy import Policy
from service.domain.people import BadRequest, Conflict, Forbidden, Person, Role
from service.domain.scenarios.scenarios import Scenario
from service.domain.scenarios.signoffs import Gate
from service.domain.slack import people_of
from service.engine.scenarios import ScenarioRound
from service.ports.controls import Beside
from service.ports.scenarios import Begun, NewScenario
from service.store.scenarios import ScenarioStore
from service.triggers.people.asked import Scope
from service.triggers.people.pressing import Pressing
from tests.contract.test_scenarios import RUSH, Stand, told
from tests.databases import Databases
from tests.properties.installation import OLGA, opened

pytestmark = pytest.mark.spread
"""On PostgreSQL `make test` tries those alone whose statements differ there: `on_both`."""
on_both = pytest.mark.spread(None)

EVERYBODY = ("devops", "finance", "cto")
SIGNED = replace(RUSH, signoff=Gate(("devops",), ("finance",), EVERYBODY))
WORST = replace(RUSH, emergency=True, signoff=Gate(EVERYBODY, (), EVERYBODY))
DAY_S = 86_400.0


def person(name: str, *groups: str) -> Person:
    return Person(name, frozenset({Role.OPERATOR}), frozenset(groups))


DORA, FINN, CARL = person("dora", "devops"), person("finn", "finance"), person("carl", "cto")
BOSS = person("boss", *EVERYBODY)


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    """A database of the test's own."""
    with databases.borrowed() as url, opened(url) as engine:
        yield engine


def stand_with(engine: sa.Engine, *scenarios: Scenario, monthly: float = 10_000.0) -> Stand:
    """An installation with these scenarios and a budget of so many dollars a month."""
    stand = Stand(engine, *scenarios)
    budget = Budget(monthly, targets=("api",))
    stand.now.book = replace(stand.now.book, policy=Policy(budget=budget))
    stand.now._build()
    stand.people = stand.now.people.scenarios
    return stand


def state(stand: Stand, run: str) -> str:
    stand.now.go_through(run)
    return str(stand.people.one(run)["state"])


@on_both
def test_no_step_begins_before_who_has_to_has_signed(engine: sa.Engine) -> None:
    stand = stand_with(engine, SIGNED)
    run = stand.run()
    assert state(stand, run) == "unsigned"
    assert stand.people.one(run)["reason"] == "the sign-off of devops is missing"
    assert stand.now.apps.writes.sent == 0
    (said,) = told(stand)
    assert said.startswith("Scenario rush: waits for sign-offs\n")
    assert "The sign-off of devops is missing. No step begins before that." in said
    made = stand.people.sign(DORA, run, "devops", "the plan is right")
    assert made.plan_hash == stand.people.one(run)["plan_hash"] != ""
    assert state(stand, run) == "active"
    assert stand.now.apps.values() == {"replicas": 8, "size": "professional-m"}
    rows = stand.now.rows("SELECT who, verb, subject, why FROM audit WHERE verb = 'signoff'")
    assert rows == [("dora", "signoff", run, "the plan is right")]


@on_both
def test_another_plan_than_the_signed_one_is_signed_again(engine: sa.Engine) -> None:
    stand = stand_with(engine, SIGNED)
    run = stand.run()
    state(stand, run)
    first = stand.people.one(run)["plan_hash"]
    stand.now.apps.person_sets(instance_count=4)
    stand.now.clock.now += 600
    stand.people.sign(DORA, run, "devops", "the plan is right")
    assert state(stand, run) == "unsigned"
    assert "The plan has changed since it was signed" in stand.people.one(run)["reason"]
    assert stand.now.apps.values()["replicas"] == 4
    with pytest.raises(Conflict, match=f"not about {first}. Read it again"):
        stand.people.sign(DORA, run, "devops", "the plan is right", first)
    stand.people.sign(DORA, run, "devops", "the new plan is right")
    assert state(stand, run) == "active"
    assert stand.now.apps.values()["replicas"] == 8


def test_what_does_not_fit_the_budget_is_signed_by_finance_too(engine: sa.Engine) -> None:
    stand = stand_with(engine, SIGNED, monthly=200.0)
    run = stand.run()
    assert state(stand, run) == "unsigned"
    reason = stand.people.one(run)["reason"]
    assert reason.startswith("the sign-off of devops and finance is missing, because all targets")
    assert "the budget is $200" in reason
    stand.people.sign(DORA, run, "devops", "the plan is right")
    assert state(stand, run) == "unsigned"
    assert stand.now.apps.writes.sent == 0
    stand.people.sign(FINN, run, "finance", "it is worth it")
    assert state(stand, run) == "active"
    assert stand.now.apps.values()["replicas"] == 8


def test_nobody_signs_as_what_their_token_lacks(engine: sa.Engine) -> None:
    stand = stand_with(engine, SIGNED)
    run = stand.run()
    state(stand, run)
    admin = Person("ada", frozenset({Role.ADMIN}))
    for who in (FINN, OLGA, admin):
        with pytest.raises(Forbidden, match="cannot sign as devops: the token lacks the group"):
            stand.people.sign(who, run, "devops", "let me")
    with pytest.raises(BadRequest, match="There is no sign-off as 'ceo'"):
        stand.people.sign(person("eve", "ceo"), run, "ceo", "let me")
    with pytest.raises(Conflict, match="is not signed as cto before it; by devops, finance"):
        stand.people.sign(CARL, run, "cto", "let me")
    assert stand.people.one(run)["signoffs"] == []
    assert state(stand, run) == "unsigned"


@on_both
@pytest.mark.parametrize("one_person", [False, True])
def test_one_person_signs_for_two_roles_only_where_the_rules_say_so(
    engine: sa.Engine, one_person: bool
) -> None:
    gate = Gate(("devops", "finance"), one_person=one_person)
    stand = stand_with(engine, replace(RUSH, signoff=gate))
    run = stand.run()
    state(stand, run)
    stand.people.sign(BOSS, run, "devops", "the plan is right")
    with pytest.raises(Conflict, match="boss has signed this plan as devops already"):
        stand.people.sign(BOSS, run, "devops", "once more")
    if one_person:
        stand.people.sign(BOSS, run, "finance", "it is worth it")
        assert state(stand, run) == "active"
        return
    with pytest.raises(Conflict, match="Another person has to sign as finance"):
        stand.people.sign(BOSS, run, "finance", "it is worth it")
    assert state(stand, run) == "unsigned"


def test_an_approval_and_a_sign_off_are_both_needed_and_given_in_any_order(
    engine: sa.Engine,
) -> None:
    both = replace(SIGNED, approval=Approval(("finance",)), above=200.0)
    stand = stand_with(engine, both)
    run = stand.run()
    assert state(stand, run) == "waiting"
    stand.people.sign(DORA, run, "devops", "the plan is right")
    assert state(stand, run) == "waiting"
    stand.people.decide(FINN, run, "approved")
    assert state(stand, run) == "active"


def test_what_waits_for_a_sign_off_can_be_cancelled_and_was_never_begun(engine: sa.Engine) -> None:
    stand = stand_with(engine, SIGNED)
    run = stand.run()
    state(stand, run)
    stand.people.cancel(OLGA, run, "a false alarm")
    assert state(stand, run) == "cancelled"
    assert stand.now.apps.writes.sent == 0
    with pytest.raises(Conflict, match="it is signed before its first step"):
        stand.people.sign(DORA, run, "devops", "the plan is right")


@on_both
def test_an_emergency_begins_at_once_where_its_starter_can_sign(engine: sa.Engine) -> None:
    stand = stand_with(engine, WORST)
    started = stand.people.start(CARL, "rush", "all is down")
    assert started.unsigned == ()
    assert state(stand, started.run) == "active"
    (signed,) = stand.people.one(started.run)["signoffs"]
    assert (signed["role"], signed["phase"], signed["who"]) == ("cto", "before", "carl")


@on_both
def test_an_emergency_of_anybody_else_begins_with_any_one_sign_off(engine: sa.Engine) -> None:
    stand = stand_with(engine, WORST)
    started = stand.people.start(OLGA, "rush", "all is down")
    run = started.run
    assert started.unsigned == EVERYBODY
    assert state(stand, run) == "unsigned"
    assert "devops or finance or cto is missing; one" in stand.people.one(run)["reason"]
    assert stand.now.apps.writes.sent == 0
    stand.people.sign(FINN, run, "finance", "go")
    assert state(stand, run) == "active"
    assert stand.now.apps.values()["replicas"] == 8


SLACK = people_of(["U0DORA=dora:viewer+devops", "U0FINN=finn:viewer+finance", "U0OLGA=olga:admin"])


def buttons(stand: Stand) -> list[tuple[str, str, str]]:
    """The buttons of the scenario's message, as it is now."""
    (message,) = stand.now.messenger.messages.values()
    return list(message.buttons)


@on_both
def test_whoever_holds_a_role_in_slack_signs_by_the_button_and_nobody_else_does(
    engine: sa.Engine,
) -> None:
    stand = stand_with(engine, replace(SIGNED, lasts_s=None))
    run = stand.run()
    assert state(stand, run) == "unsigned"
    plan = stand.people.one(run)["plan_hash"]
    asked = [(f"Sign as {each}", f"sign_{each}", f"{run} {plan}") for each in ("devops", "finance")]
    assert buttons(stand) == asked
    pressing = Pressing(stand.now.people)
    (_, as_devops, value), _ = asked
    for user in ("U0FINN", "U0OLGA"):
        with pytest.raises(Forbidden, match="cannot sign as devops"):
            pressing.press(SLACK[user], as_devops, value)
    with pytest.raises(Conflict, match="not about 0123456789ab"):
        pressing.press(SLACK["U0DORA"], as_devops, f"{run} 0123456789ab")
    said = pressing.press(SLACK["U0DORA"], as_devops, value)
    assert said.public
    assert said.text == f"dora has signed scenario {run} as devops, before it, plan {plan}."
    with pytest.raises(Conflict, match="dora has signed this plan as devops already"):
        pressing.press(SLACK["U0DORA"], as_devops, value)
    assert stand.now.rows("SELECT who, via FROM audit WHERE verb = 'signoff'") == [
        ("dora", "slack")
    ]
    assert state(stand, run) == "done"
    left = [label for label, _, _ in buttons(stand)]
    assert left == ["Sign as devops", "Sign as finance", "Sign as cto"]
    pressing.press(SLACK["U0FINN"], *buttons(stand)[1][1:])
    assert state(stand, run) == "done"
    assert [label for label, _, _ in buttons(stand)] == ["Sign as devops", "Sign as cto"]


OTHER = replace(RUSH, name="other", steps=(replace(RUSH.steps[0], to={"replicas": 9}),))


@on_both
def test_an_emergency_lifts_and_suspends_nothing_before_it_is_signed(engine: sa.Engine) -> None:
    stand = stand_with(engine, WORST, OTHER)
    other = stand.run("other")
    ScenarioRound(stand.now.parts)(True)
    stand.now.people.put(OLGA, "lock", Scope("api"), "30m", "a deployment")
    started = stand.people.start(OLGA, "rush", "all is down")
    assert (started.lifted, started.suspended) == ((), ())
    ScenarioRound(stand.now.parts)(True)
    assert [each.kind for each in stand.now.controls.in_force()] == ["lock"]
    assert stand.now.rows("SELECT id FROM scenario_runs WHERE cancel IS NOT NULL") == []
    stand.people.cancel(OLGA, started.run, "a false alarm")
    assert state(stand, started.run) == "cancelled"
    assert [each.kind for each in stand.now.controls.in_force()] == ["lock"]
    assert stand.now.rows("SELECT id FROM scenario_runs WHERE id = :o AND cancel IS NULL", o=other)


@on_both
def test_an_emergency_that_is_signed_lifts_and_suspends_as_it_begins(engine: sa.Engine) -> None:
    stand = stand_with(engine, WORST, OTHER)
    run = stand.people.start(OLGA, "rush", "all is down").run
    assert state(stand, run) == "unsigned"
    later = stand.run("other")
    stand.now.people.put(OLGA, "lock", Scope("api"), "30m", "a deployment")
    stand.people.sign(FINN, run, "finance", "go")
    assert stand.now.rows("SELECT id FROM scenario_runs WHERE cancel IS NOT NULL") == []
    ScenarioRound(stand.now.parts)(True)
    assert stand.now.controls.in_force() == ()
    assert stand.now.rows("SELECT id FROM scenario_runs WHERE cancel IS NOT NULL") == [(later,)]
    begun = {each["id"]: each["state"] for each in stand.people.one(run)["steps"]}
    assert begun["out"] == "under way"
    assert state(stand, run) == "active"
    assert stand.now.apps.values()["replicas"] == 8
    ((who, what),) = stand.now.rows("SELECT who, what FROM audit WHERE verb = 'make way'")
    assert who == "olga"
    assert json.loads(what)["suspended"] == [later]
    said = f"It lifted the lock of api by olga. It suspended {later}: nothing more of that begins."
    assert said in told(stand)[0]


def test_an_emergency_that_waits_for_a_signoff_is_not_suspended_by_another_that_begins(
    engine: sa.Engine,
) -> None:
    stand = stand_with(engine, WORST, replace(WORST, name="other"))
    waits = stand.people.start(OLGA, "rush", "all is down").run
    begun = stand.people.start(FINN, "other", "all is down")
    assert begun.suspended == ()
    assert state(stand, begun.run) == "active"
    assert state(stand, waits) == "unsigned"
    stand.people.sign(FINN, waits, "finance", "go")
    assert state(stand, waits) == "done", "the other has set all of it already"


@on_both
def test_an_emergency_suspends_what_starts_right_before_its_transaction(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = stand_with(engine, WORST, OTHER)
    start, meanwhile = ScenarioStore.start, []

    def late(self: ScenarioStore, new: NewScenario, beside: Beside) -> Begun:
        if new.scenario.emergency:
            meanwhile.append(stand.run("other"))
        return start(self, new, beside)

    monkeypatch.setattr(ScenarioStore, "start", late)
    started = stand.people.start(CARL, "rush", "all is down")
    assert started.suspended == tuple(meanwhile) == ("other.1",)


@on_both
def test_who_has_not_signed_a_day_after_is_reminded_once(engine: sa.Engine) -> None:
    stand = stand_with(engine, replace(WORST, lasts_s=None))
    run = stand.people.start(DORA, "rush", "all is down").run
    assert state(stand, run) == "done"
    stand.people.sign(CARL, run, "cto", "it was needed")
    ScenarioRound(stand.now.parts)(True)
    (said,) = told(stand)
    assert "Still to sign: devops, finance." in said
    stand.now.clock.now += DAY_S - 60.0
    ScenarioRound(stand.now.parts)(True)
    assert len(told(stand)) == 1
    stand.now.clock.now += 120.0
    for _ in range(3):
        ScenarioRound(stand.now.parts)(True)
        stand.now.clock.now += DAY_S
    _, reminder = told(stand)
    assert reminder.startswith("Scenario rush: sign-offs are missing\ndora started scenario")
    assert "The sign-off of devops, finance is still missing." in reminder
    assert stand.now.rows("SELECT next_at FROM scenario_runs") == [(None,)]


def test_nobody_is_reminded_where_all_have_signed_after(engine: sa.Engine) -> None:
    stand = stand_with(engine, replace(WORST, lasts_s=None))
    run = stand.people.start(DORA, "rush", "all is down").run
    state(stand, run)
    for who, role in ((DORA, "devops"), (FINN, "finance"), (CARL, "cto")):
        stand.people.sign(who, run, role, "it was needed")
    stand.now.clock.now += 2 * DAY_S
    ScenarioRound(stand.now.parts)(True)
    (said,) = told(stand)
    assert "Still to sign" not in said
    assert stand.people.one(run)["unsigned_after"] == []
