"""The ledger, in SQL and in memory: what runs made of a target, and what persons set past them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue.app_platform.autoscaling import MAX, MIN
from service.catalogue.app_platform.plan import component_values
from service.domain.alerts.alert import Alert
from service.domain.alerts.episodes import EVIDENCE_S
from service.domain.capacity.ledger import Addition, Entry
from service.domain.decisions.controls import HOLD
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import Policy
from service.domain.decisions.requests import PERSON, RETURN, Origin, Request, Wanted
from service.domain.decisions.returns import Asker, Return
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Matcher, MatchOp, Rule
from service.intake.kinds import STATE_REASON
from service.ports.admission import NewRun
from service.ports.ledger import HELD_BY, HOLD_S, Ledger
from service.ports.runs import Outcome
from service.store import schema
from service.store.controls import ControlStore
from service.store.ledger import LedgerStore
from service.store.runs import RunStore
from service.triggers.alerts.candidates import RulesInForce
from tests.contract.admission import SqlDesk
from tests.contract.test_controls import queued
from tests.fakes.alerts import CPU, ERRORS, NOW, alert, delivery, resolved, rule_book
from tests.fakes.ledger import FakeLedger
from tests.fakes.runs import API, request_for

OUT = replace(request_for("horizontal_scale", API), policy=Policy(returns=Return(1_800)))
ADDED = Addition("api.out.1", "a-rule", 2, 3, NOW, ("alert-1",))
IDLE = "Idle API"
ENTRY = Entry("api", "replicas", 3, NOW, (ADDED,))


def plan_of(before: int, after: int) -> Plan:
    wanted = {"after": {"instance_count": after}, "planned_from": {"instance_count": before}}
    return Plan("replicas", str(before), str(after), ("update_app",), wanted)


def end(
    runs: RunStore, request: Request, before: int, after: int, now: float, status: str = "succeeded"
) -> None:
    """A run that has written ends."""
    runs.set_plan(request.id, plan_of(before, after))
    runs.enter(request, now)
    runs.intend(request.id, "update_app", now)
    runs.conclude(request.id, Outcome(status, "", now + 600), now)


def another(run: str, **changes: Any) -> Request:
    return replace(OUT, id=run, claim=run.rpartition(".")[0], **changes)


@pytest.fixture(params=["fake", "sql"])
def ledger(request: pytest.FixtureRequest, engine: sa.Engine) -> Ledger:
    """The ledger after one run that alerts asked for: 2 → 3 replicas of the API."""
    if request.param == "fake":
        fake = FakeLedger()
        fake.put(ENTRY)
        return fake
    end(queued(engine, OUT), OUT, 2, 3, NOW)
    return LedgerStore(engine)


def test_what_a_run_made_of_its_target_is_kept_with_what_it_added(ledger: Ledger) -> None:
    assert list(ledger.entries()) == [ENTRY]


def test_a_value_that_was_found_is_kept_unless_one_is_known(ledger: Ledger) -> None:
    ledger.found("api", {"replicas": 9, "min": 2}, NOW + 60)
    found = {each.attribute: each for each in ledger.entries()}
    assert found == {"replicas": ENTRY, "min": Entry("api", "min", 2, NOW + 60)}


@pytest.mark.parametrize(
    ("column", "kept"), [("ask", '{"action": "gone"}'), ("plan", "{}")], ids=["request", "plan"]
)
def test_a_run_that_wrote_ends_though_its_record_cannot_be_read(
    engine: sa.Engine, column: str, kept: str
) -> None:
    runs = queued(engine, OUT)
    runs.set_plan(OUT.id, plan_of(2, 3))
    runs.intend(OUT.id, "update_app", NOW)
    with engine.begin() as connection:
        connection.execute(sa.update(schema.runs).values({column: kept}))
    assert runs.conclude(OUT.id, Outcome("failed", "its record cannot be read", NOW + 60), NOW)
    assert runs.unfinished() == []
    assert LedgerStore(engine).entries() == []


def test_a_look_that_shows_what_we_set_is_no_news(ledger: Ledger) -> None:
    assert list(ledger.saw("api", {"replicas": 3}, NOW + 1, NOW + 2)) == []
    assert list(ledger.entries()) == [ENTRY]


def test_a_value_that_nobody_here_has_set_is_told_once_and_no_addition_any_more(
    ledger: Ledger,
) -> None:
    assert list(ledger.saw("api", {"replicas": 6}, NOW + 1, NOW + 2)) == [ENTRY]
    assert list(ledger.saw("api", {"replicas": 6}, NOW + 3, NOW + 4)) == []
    (entry,) = ledger.entries()
    assert (entry.value, entry.additions) == (6, ())


@pytest.mark.parametrize(
    ("values", "looked_at"),
    [({"replicas": 6}, NOW - 1), ({"size": "large"}, NOW + 1), ({}, NOW + 1)],
    ids=["before our change", "another attribute", "nothing to be seen"],
)
def test_a_look_that_says_nothing_about_the_value_changes_nothing(
    ledger: Ledger, values: Mapping[str, Any], looked_at: float
) -> None:
    assert list(ledger.saw("api", values, looked_at, NOW + 2)) == []
    assert list(ledger.entries()) == [ENTRY]


def test_what_a_return_waits_for_is_kept_until_it_waits_no_more(ledger: Ledger) -> None:
    ledger.waits("api", "replicas", "High CPU Usage still fires")
    assert [each.waits for each in ledger.entries()] == ["High CPU Usage still fires"]
    ledger.waits("api", "replicas", "")
    assert [each.waits for each in ledger.entries()] == [""]


def test_what_a_person_has_set_at_the_vendor_is_held_for_half_a_day(engine: sa.Engine) -> None:
    end(queued(engine, OUT), OUT, 2, 3, NOW)
    LedgerStore(engine).saw("api", {"replicas": 6}, NOW + 1, NOW + 2)
    (hold,) = ControlStore(engine, None).in_force()  # type: ignore[arg-type]
    assert (hold.kind, hold.target, hold.by) == (HOLD, "api", HELD_BY)
    assert hold.until == NOW + 2 + HOLD_S
    assert hold.why == ("replicas was 3 by the last change, and is 6 without a run of runbookd")


def test_while_a_run_writes_a_look_says_nothing(engine: sa.Engine) -> None:
    writing = another("api.out.2")
    runs = queued(engine, OUT, writing)
    end(runs, OUT, 2, 3, NOW)
    runs.enter(writing, NOW + 5)
    assert LedgerStore(engine).saw("api", {"replicas": 4}, NOW + 6, NOW + 7) == []


def test_what_a_person_had_set_is_held_as_long_as_asked_by_that_person(engine: sa.Engine) -> None:
    asked = another(
        "api.person.1", origin=Origin(PERSON, "anna", "the exam"), hold_s=3_600.0, pin=True
    )
    runs = queued(engine, OUT, asked)
    end(runs, OUT, 2, 3, NOW)
    end(runs, asked, 3, 6, NOW + 60)
    (hold,) = ControlStore(engine, None).in_force()  # type: ignore[arg-type]
    assert (hold.by, hold.until, hold.pin) == ("anna", NOW + 60 + 3_600, True)
    assert hold.why == "replicas 6 by run api.person.1: the exam"
    assert LedgerStore(engine).entries()[0].additions == ()


def test_a_persons_run_that_failed_holds_nothing(engine: sa.Engine) -> None:
    asked = another("api.person.1", origin=Origin(PERSON, "anna", "the exam"), hold_s=3_600.0)
    end(queued(engine, asked), asked, 3, 6, NOW, "failed")
    assert ControlStore(engine, None).in_force() == ()  # type: ignore[arg-type]


def test_an_undo_takes_out_what_its_run_added_and_holds_nothing(engine: sa.Engine) -> None:
    undo = another(
        "api.person.1",
        origin=Origin(PERSON, "anna", "undo"),
        parent=OUT.id,
        expects=(Wanted("replicas", to=3),),
    )
    runs = queued(engine, OUT, undo)
    end(runs, OUT, 2, 3, NOW)
    end(runs, undo, 3, 2, NOW + 60)
    assert [(each.value, each.additions) for each in LedgerStore(engine).entries()] == [(2, ())]
    assert ControlStore(engine, None).in_force() == ()  # type: ignore[arg-type]


def test_a_return_takes_back_and_is_remembered(engine: sa.Engine) -> None:
    back = another("api.return.1", origin=Origin(RETURN, "a-rule", "it is calm"), direction="in")
    runs = queued(engine, OUT, back)
    end(runs, OUT, 2, 3, NOW)
    end(runs, back, 3, 2, NOW + 3_600)
    (entry,) = LedgerStore(engine).entries()
    assert (entry.value, entry.additions, entry.returned_at) == (2, (), NOW + 3_600)


def test_a_run_that_failed_after_its_write_leaves_both_values_possible(engine: sa.Engine) -> None:
    failed = another("api.out.2")
    runs = queued(engine, OUT, failed)
    end(runs, OUT, 2, 3, NOW)
    end(runs, failed, 3, 4, NOW + 60, "failed")
    ledger = LedgerStore(engine)
    assert ledger.saw("api", {"replicas": 3}, NOW + 90, NOW + 91) == []
    (entry,) = ledger.entries()
    assert (entry.value, [each.after for each in entry.additions]) == (3, [3])


def test_a_run_that_wrote_nothing_is_not_in_the_ledger(engine: sa.Engine) -> None:
    runs = queued(engine, OUT)
    runs.set_plan(OUT.id, plan_of(2, 3))
    runs.conclude(OUT.id, Outcome("held", "", NOW), NOW)
    assert LedgerStore(engine).entries() == []


EXACT = request_for("set_capacity", API, options={"replicas": 2, "exact": True})


def test_what_an_alert_has_set_lower_is_no_addition(engine: sa.Engine) -> None:
    runs = queued(engine, OUT, EXACT)
    end(runs, OUT, 2, 4, NOW)
    end(runs, EXACT, 4, 2, NOW + 900)
    (entry,) = LedgerStore(engine).entries()
    assert (entry.value, entry.additions) == (2, ())


def bounds_of(
    before: tuple[int | None, int | None, int | None],
    after: tuple[int | None, int | None, int | None],
) -> Plan:
    """The count, and the two bounds of the vendor's autoscaling."""
    keys = ("instance_count", MIN, MAX)
    was, will = dict(zip(keys, before, strict=True)), dict(zip(keys, after, strict=True))
    changed = {key: value for key, value in will.items() if value != was[key]}
    return Plan("autoscaling", "", "", ("update_app",), {"after": changed, "planned_from": was})


def test_the_bounds_of_the_vendors_autoscaling_are_kept_added_to_and_a_persons(
    engine: sa.Engine,
) -> None:
    on = request_for("set_autoscaling", API, id="api.set.1")
    runs, ledger = queued(engine, OUT, on), LedgerStore(engine)
    for request, plan, now in (
        (on, bounds_of((2, None, None), (None, 2, 4)), NOW),
        (OUT, bounds_of((None, 2, 4), (None, 2, 5)), NOW + 60),
    ):
        runs.set_plan(request.id, plan)
        runs.enter(request, now)
        runs.intend(request.id, "update_app", now)
        runs.conclude(request.id, Outcome("succeeded", "", now), now)
    kept = {each.attribute: (each.value, each.additions) for each in ledger.entries()}
    added = Addition("api.out.1", "a-rule", 4, 5, NOW + 60, ("alert-1",))
    assert kept == {"replicas": (0, ()), "min": (2, ()), "max": (5, (added,))}
    looked = component_values({"replicas": None, "size": "", "fields": {MIN: 2, MAX: 9}})
    changed = ledger.saw("api", looked, NOW + 120, NOW + 121)
    assert [each.attribute for each in changed] == ["max"]
    assert {each.attribute: each.additions for each in ledger.entries()}["max"] == ()


def test_only_alerts_of_rules_that_add_count_as_asking_for_more(ledger_of_two: sa.Engine) -> None:
    ledger = LedgerStore(ledger_of_two)
    assert ledger.asking_more("api", NOW + 60) == [Asker(CPU, fires=True)]
    assert {each.name for each in ledger.askers("api", (), NOW + 60)} == {CPU, IDLE}
    assert ledger.asking_more("worker-vm", NOW + 60) == []


def test_what_takes_away_does_not_enter_while_another_alert_asks_for_more(
    ledger_of_two: sa.Engine,
) -> None:
    exact = replace(EXACT, id="api.set.9")
    runs = queued(ledger_of_two, exact)
    runs.set_plan(exact.id, plan_of(4, 2))
    held = runs.enter(exact, NOW + 60)
    assert held is not None
    assert (held.guard, held.passed) == ("more_asked", False)
    runs.set_plan(exact.id, plan_of(1, 2))
    assert runs.enter(exact, NOW + 60) is None, "it adds"


@pytest.fixture
def ledger_of_two(engine: sa.Engine) -> sa.Engine:
    """An alert that asks for more fires, and one of a rule that sets an exact count."""
    book = rule_book()
    matcher = Matcher("alertname", MatchOp.EQUAL, IDLE)
    options = {"replicas": 2, "size": None, "exact": True}
    idle = Rule("idle", (matcher,), "set_capacity", "api", timedelta(minutes=10), options=options)
    book = replace(book, rules=(*book.rules, idle))
    desk = SqlDesk(engine, rules=RulesInForce(book, RuleIndex(book)))
    desk.admit(delivery(alert(CPU)), delivery(alert(IDLE)))
    return engine


def askers(engine: sa.Engine, now: float) -> list[Asker]:
    return LedgerStore(engine).askers("api", (), now)


def test_an_alert_that_asks_for_more_is_known_while_it_fires_and_when_it_ended(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU)))
    assert askers(engine, NOW + 60) == [Asker(CPU, fires=True)]
    desk.admit(delivery(resolved(CPU), at=NOW + 120))
    assert askers(engine, NOW + 180) == [Asker(CPU, fires=False, resolved_at=NOW + 120)]


def test_an_alert_that_no_sender_repeats_any_more_does_not_count_as_firing(
    engine: sa.Engine,
) -> None:
    SqlDesk(engine).admit(delivery(alert(CPU)))
    assert askers(engine, NOW + EVIDENCE_S) == [Asker(CPU, fires=False)]


def ended_without_data() -> Alert:
    return replace(resolved(CPU), annotations={STATE_REASON: "MissingSeries"})


def test_an_end_without_a_measurement_is_kept_with_its_reason_for_as_long_as_evidence_lasts(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU)))
    desk.admit(delivery(ended_without_data(), at=NOW + 120))
    (asker,) = askers(engine, NOW + 180)
    assert (asker.fires, asker.reason) == (False, "MissingSeries")
    assert askers(engine, NOW + 120 + EVIDENCE_S)[0].reason == ""


def test_an_alert_that_fires_again_and_ends_by_a_measurement_has_no_such_reason_any_more(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU)))
    desk.admit(delivery(ended_without_data(), at=NOW + 20))
    desk.admit(delivery(alert(CPU), at=NOW + 40))
    desk.admit(delivery(resolved(CPU), at=NOW + 60))
    (asker,) = askers(engine, NOW + 90)
    assert (asker.fires, asker.reason) == (False, "")


def test_an_open_incident_is_known_by_the_service_of_its_alerts(engine: sa.Engine) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(ERRORS, labels={"service": "api"})))
    ledger = LedgerStore(engine)
    assert ledger.open_pages("") == [], "the pager does not have it yet"
    desk.execute("UPDATE incidents SET paged = true")
    assert (ledger.open_pages(""), ledger.open_pages("api")) == ([ERRORS], [ERRORS])
    assert ledger.open_pages("worker") == []
    desk.admit(delivery(resolved(ERRORS, labels={"service": "api"}), at=NOW + 60))
    assert ledger.open_pages("api") == []


def test_a_claim_is_taken_by_one_and_is_not_free_while_its_run_goes_on(engine: sa.Engine) -> None:
    seen: list[NewRun] = []
    runs = RunStore(engine, lambda _connection, run: seen.append(run))

    def ask(now: float) -> str | None:
        return runs.take(
            "api.return",
            lambda made: NewRun(replace(OUT, id=made, claim="api.return"), "do-app:app-1", now),
            now,
        )

    assert ask(NOW) == "api.return.1"
    assert ask(NOW + 3_600) is None
    runs.conclude("api.return.1", Outcome("held", "", NOW + 60), NOW)
    assert ask(NOW + 59) is None
    assert ask(NOW + 60) == "api.return.2"
    assert [each.request.id for each in seen] == ["api.return.1", "api.return.2"]
