"""Rules that demote themselves: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.decisions.demoted import Demotion
from service.domain.decisions.expected import CLEARED, NO_EFFECT, Expected, Slo
from service.domain.decisions.policy import APPROVE, SHADOW, Policy
from service.domain.rules.matching import RuleIndex
from service.ports.demotions import DemotionDesk
from service.ports.runs import Outcome as RunOutcome
from service.store import schema
from service.store.bell import bell_of
from service.store.demotions import DemotionStore
from service.store.outcomes import OutcomeStore
from service.store.queries import Queries
from service.store.runs import RunStore
from service.triggers.alerts.candidates import RulesInForce
from tests.contract.admission import SqlDesk, all_at_once
from tests.contract.leases import lease_store
from tests.fakes.alerts import CPU, NOW, TRAFFIC, alert, delivery, rule_book
from tests.fakes.demotions import FakeDemotions

OF = 4
ROW = Demotion("m-1", "high-cpu", APPROVE, NOW, "1 of the last 4 changes have cleared")


def nothing(_connection: Any) -> None:
    """No record beside it."""


@pytest.fixture(params=["fake", "sql"])
def demotions(request: pytest.FixtureRequest, engine: sa.Engine) -> DemotionDesk:
    """The record, with one rule that has demoted itself."""
    if request.param == "fake":
        return FakeDemotions({ROW.rule: ROW})
    row = {name: getattr(ROW, name) for name in Demotion.__dataclass_fields__}
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.demotions), row)
    return DemotionStore(engine, bell_of(engine))


def test_it_is_in_force_until_a_person_promotes_the_rule(demotions: DemotionDesk) -> None:
    assert demotions.in_force() == {"high-cpu": ROW}
    assert demotions.end("another", "paul", NOW + 10, nothing) is None
    assert demotions.end("high-cpu", "paul", NOW + 10, nothing) == ROW
    assert demotions.in_force() == {}
    assert demotions.end("high-cpu", "paul", NOW + 11, nothing) is None


def test_people_are_to_be_told_of_it_once(demotions: DemotionDesk) -> None:
    assert demotions.untold() == [ROW]
    demotions.told("m-1", NOW + 1)
    assert demotions.untold() == []
    assert demotions.in_force() == {"high-cpu": ROW}


class Stand:
    """A rule with an slo of half of four on a database, and its changes as they are judged."""

    def __init__(self, engine: sa.Engine) -> None:
        book = rule_book()
        policy = Policy(expected=Expected(600.0, slo=Slo(0.5, OF)))
        rules = tuple(
            replace(rule, policy=policy) if rule.name == "high-cpu" else rule for rule in book.rules
        )
        with_slo = replace(book, rules=rules)
        self.desk = SqlDesk(engine, rules=RulesInForce(with_slo, RuleIndex(with_slo)))
        self.outcomes = OutcomeStore(engine)
        self.runs = RunStore(engine, lambda _connection, _run: None)
        self.store = DemotionStore(engine, bell_of(engine))
        self.at = NOW

    def change(self) -> str:
        """A verified change of the rule; its run."""
        self.at += 1_000
        self.desk.execute("UPDATE cooldowns SET until = 0")
        (decision,) = self.desk.verdicts(delivery(alert(CPU, str(self.at)), at=self.at))
        assert decision.run is not None
        self.runs.conclude(decision.run, RunOutcome("succeeded", "x", 0.0), self.at + 1)
        return decision.run

    def judge(self, run: str, result: str) -> bool:
        self.at += 1
        (found,) = (each for each in self.outcomes.take(self.at + 60, 1.0, 99) if each.run == run)
        cleared_at = self.at if result == CLEARED else None
        judged = replace(found.judged, result=result, cleared_at=cleared_at, next_at=None)
        return self.outcomes.keep(run, judged, self.at)

    def changes(self, *results: str) -> str:
        """So many changes, each with this result; the rule's mode after them."""
        for result in results:
            assert self.judge(self.change(), result)
        found = self.store.in_force()
        return found["high-cpu"].mode if found else "act"


@pytest.fixture
def stand(engine: sa.Engine) -> Stand:
    return Stand(engine)


def test_below_its_slo_a_rule_demotes_itself_and_says_why(stand: Stand) -> None:
    assert stand.changes(NO_EFFECT, NO_EFFECT, NO_EFFECT) == "act"
    assert stand.changes(NO_EFFECT) == APPROVE
    (demotion,) = stand.store.untold()
    assert (demotion.rule, demotion.since) == ("high-cpu", stand.at)
    assert demotion.why == (
        "0 of the last 4 changes have cleared their alerts, and its slo asks for 0.5 of them"
    )


def test_a_rule_that_reaches_its_slo_is_left(stand: Stand) -> None:
    assert stand.changes(NO_EFFECT, CLEARED, NO_EFFECT, CLEARED, NO_EFFECT, CLEARED) == "act"


def test_only_the_last_changes_count(stand: Stand) -> None:
    assert stand.changes(*[CLEARED] * 6, NO_EFFECT, NO_EFFECT) == "act"
    assert stand.changes(NO_EFFECT) == APPROVE


def test_after_as_many_further_ones_it_demotes_itself_to_shadow(stand: Stand) -> None:
    assert stand.changes(*[NO_EFFECT] * OF) == APPROVE
    assert stand.changes(*[NO_EFFECT] * (OF - 1)) == APPROVE
    assert stand.changes(NO_EFFECT) == SHADOW
    assert stand.desk.rows("SELECT mode, ended_by FROM demotions ORDER BY since") == [
        (APPROVE, "runbookd"),
        (SHADOW, None),
    ]


def test_a_rule_that_was_promoted_is_counted_anew(stand: Stand) -> None:
    stand.changes(*[NO_EFFECT] * OF)
    ended = stand.store.end("high-cpu", "paul", stand.at + 1, nothing)
    assert ended is not None
    stand.at += 2
    assert stand.changes(*[NO_EFFECT] * (OF - 1)) == "act"
    assert stand.changes(NO_EFFECT) == APPROVE
    assert stand.desk.rows("SELECT ended_by FROM demotions ORDER BY since") == [
        ("paul",),
        (None,),
    ]


def test_admission_reads_it_and_pins_it_with_what_follows(stand: Stand) -> None:
    stand.changes(*[NO_EFFECT] * OF)
    stand.change()
    assert stand.desk.queued[-1].request.policy.mode == APPROVE
    stand.desk.execute("UPDATE demotions SET mode = 'shadow'")
    stand.desk.verdicts(delivery(alert(CPU, "s"), at=stand.at + 1))
    shadow = stand.desk.queued[-1].request
    assert (shadow.policy.mode, shadow.claim) == (SHADOW, "shadow.api.out")
    stand.desk.verdicts(delivery(alert(TRAFFIC), at=stand.at + 2))
    assert stand.desk.queued[-1].request.policy.mode == "act"


def test_whoever_it_kept_waiting_is_judged_again_when_the_rule_is_promoted(stand: Stand) -> None:
    stand.changes(*[NO_EFFECT] * OF)
    stand.store.end("high-cpu", "paul", stand.at + 1, nothing)
    due = stand.desk.rows("SELECT DISTINCT due_at FROM alerts WHERE open")
    assert due == [(stand.at + 1,)]


def test_a_promotion_whose_audit_cannot_be_kept_changes_nothing(stand: Stand) -> None:
    stand.changes(*[NO_EFFECT] * OF)

    def refuse(_connection: Any) -> None:
        raise RuntimeError("the audit cannot be written")

    with pytest.raises(RuntimeError):
        stand.store.end("high-cpu", "paul", stand.at + 1, refuse)
    assert stand.store.in_force()["high-cpu"].mode == APPROVE
    assert stand.desk.rows("SELECT id FROM alerts WHERE due_at IS NOT NULL") == []


def test_changes_that_are_judged_at_the_same_moment_demote_a_rule_once(
    engine: sa.Engine, stand: Stand
) -> None:
    runs = [stand.change() for _ in range(OF + 2)]
    found = {each.run: each for each in stand.outcomes.take(stand.at + 9_000, 60.0, 99)}
    judged = {run: replace(found[run].judged, result=NO_EFFECT, next_at=None) for run in runs}

    def keep(run: str) -> bool:
        return OutcomeStore(engine).keep(run, judged[run], stand.at + 9_000)

    assert all(all_at_once([lambda run=run: keep(run) for run in runs]))  # type: ignore[misc]
    assert stand.desk.rows("SELECT mode FROM demotions") == [(APPROVE,)]


def test_a_sign_of_life_sees_that_people_are_to_be_told(engine: sa.Engine, stand: Stand) -> None:
    leases = lease_store(engine, 15.0)
    leases.register("w1", "here", 1)
    before = leases.renew("w1")
    stand.changes(*[NO_EFFECT] * OF)
    stand.desk.execute("UPDATE outcomes SET next_at = NULL")
    after = leases.renew("w1")
    assert before is not None
    assert after is not None
    assert (before.judging, after.judging) == (False, True)


def test_the_read_api_tells_which_rules_are_demoted(engine: sa.Engine, stand: Stand) -> None:
    stand.changes(*[NO_EFFECT] * OF)
    assert Queries(engine).demotions() == stand.store.in_force()
