"""What became of verified changes: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalogue.request_json import dump_request
from service.domain.decisions.expected import (
    CLEARED,
    LOOK_EVERY_S,
    NO_EFFECT,
    PENDING,
    Expected,
    Judged,
    Sequel,
)
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import Policy
from service.domain.rules.matching import RuleIndex
from service.engine.execution import execute
from service.engine.judging import JudgingRound
from service.ports.outcomes import Outcome, Outcomes
from service.ports.runs import Outcome as RunOutcome
from service.store.bell import bell_of
from service.store.demotions import DemotionStore
from service.store.incidents import IncidentStore
from service.store.outcomes import OutcomeStore
from service.store.queries import OutcomeFilter, Queries
from service.store.runs import RunStore
from service.triggers.alerts.candidates import RulesInForce
from tests.contract.admission import SqlDesk, all_at_once
from tests.contract.leases import lease_store
from tests.fakes.alerts import (
    CPU,
    MEMORY,
    NOW,
    TRAFFIC,
    alert,
    delivery,
    notification,
    resolved,
    rule_book,
)
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.outcomes import FakeOutcomes
from tests.fakes.runs import API, request_for

RUN = "api.out.1"
END = NOW + 60
WITHIN_S = 600.0
DUE = END + WITHIN_S
PLAN = Plan("replicas", "2", "3", ("update_app",), {})


def _desk(engine: sa.Engine) -> SqlDesk:
    """Rules of which those about CPU expect their alerts to clear within ten minutes."""
    book = rule_book()
    rules = tuple(
        replace(rule, policy=Policy(expected=Expected(WITHIN_S, 2)))
        if rule.name == "high-cpu"
        else rule
        for rule in book.rules
    )
    expecting = replace(book, rules=rules)
    return SqlDesk(engine, rules=RulesInForce(expecting, RuleIndex(expecting)))


@pytest.fixture
def desk(engine: sa.Engine) -> SqlDesk:
    return _desk(engine)


@pytest.fixture
def runs(engine: sa.Engine) -> RunStore:
    return RunStore(engine, lambda _connection, _run: None)


def _end(runs: RunStore, run: str = RUN, status: str = "succeeded", at: float = END) -> None:
    runs.set_plan(run, PLAN)
    assert runs.conclude(run, RunOutcome(status, "2 → 3", at + 600), at)


def _in_sql(engine: sa.Engine) -> Outcomes:
    _desk(engine).admit(delivery(alert(CPU)))
    _end(RunStore(engine, lambda _connection, _run: None))
    return OutcomeStore(engine)


def _in_memory() -> Outcomes:
    fake = FakeOutcomes()
    judged = Judged(END, DUE, next_at=END + LOOK_EVERY_S)
    request = request_for("horizontal_scale", API)
    fake.add(Outcome(RUN, request, PLAN, NOW, judged, ("alert-1",), (Sequel(None),)))
    return fake


@pytest.fixture(params=["fake", "sql"])
def outcomes(request: pytest.FixtureRequest, engine: sa.Engine) -> Outcomes:
    """The record, with one outcome that is not judged yet."""
    return _in_memory() if request.param == "fake" else _in_sql(engine)


def _looked(outcomes: Outcomes, now: float) -> Outcome:
    (found,) = outcomes.take(now, 60.0, 5)
    return found


def test_it_is_taken_once_it_is_to_be_looked_at_by_one(outcomes: Outcomes) -> None:
    soon = END + LOOK_EVERY_S
    assert outcomes.take(soon - 1, 60.0, 5) == []
    found = _looked(outcomes, soon)
    assert (found.run, found.asked_at, found.plan) == (RUN, NOW, PLAN)
    assert (found.judged.ended_at, found.judged.due_at) == (END, DUE)
    assert found.judged.result == PENDING
    assert found.sequels == (Sequel(None),)
    assert outcomes.take(soon, 60.0, 5) == []
    assert [each.run for each in outcomes.take(soon + 60, 60.0, 5)] == [RUN]


def test_what_was_seen_is_kept_and_looked_at_again_when_it_says_so(outcomes: Outcomes) -> None:
    found = _looked(outcomes, DUE)
    cleared = replace(found.judged, result=CLEARED, cleared_at=END + 240, next_at=DUE + 500)
    assert outcomes.keep(RUN, cleared, DUE)
    assert outcomes.take(DUE + 499, 60.0, 5) == []
    assert _looked(outcomes, DUE + 500).judged == replace(cleared, next_at=DUE + 560)
    assert outcomes.keep(RUN, replace(cleared, recurred_at=DUE + 450, next_at=None), DUE + 500)
    assert outcomes.take(DUE + 90_000, 60.0, 5) == []


def test_a_change_is_judged_once(outcomes: Outcomes) -> None:
    found = _looked(outcomes, DUE)
    assert outcomes.keep(RUN, replace(found.judged, result=NO_EFFECT, next_at=None), DUE)
    late = replace(found.judged, result=CLEARED, cleared_at=END, next_at=None)
    assert not outcomes.keep(RUN, late, DUE + 1)
    assert not outcomes.keep("api.out.99", late, DUE + 1)


def test_its_alerts_are_those_that_asked_and_those_that_the_run_held(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(CPU, "a"), at=NOW - 100))
    desk.rest("api.out", NOW - 50)
    desk.admit(delivery(alert(CPU, "b"), at=NOW))
    desk.admit(delivery(alert(CPU, "c"), at=NOW + 10))
    desk.admit(delivery(alert(TRAFFIC), alert(MEMORY), at=NOW + 20))
    _end(runs, "api.out.2")
    found = _looked(OutcomeStore(engine), DUE)
    names = desk.rows("SELECT fingerprint FROM alerts JOIN outcome_alerts ON id = alert")
    assert sorted(names) == [(f"{CPU}/b",), (f"{CPU}/c",)]
    assert found.asked_at == NOW


def test_it_is_seen_when_its_alerts_resolved_and_when_they_began_again(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(CPU)))
    _end(runs)
    store = OutcomeStore(engine)
    desk.admit(delivery(resolved(CPU), at=END + 100))
    assert _looked(store, DUE).sequels == (Sequel(END + 100),)
    desk.admit(delivery(alert(CPU), at=END + 150))
    assert _looked(store, DUE + 100).sequels == (Sequel(None),), "within the grace it goes on"
    desk.admit(delivery(resolved(CPU), at=END + 200))
    desk.admit(delivery(alert(CPU), at=END + 400))
    assert _looked(store, DUE + 200).sequels == (Sequel(END + 200, END + 400),)
    desk.admit(delivery(resolved(CPU), at=END + 450))
    assert _looked(store, DUE + 300).sequels == (Sequel(END + 200, END + 400, END + 450),)


def test_a_replay_of_the_alert_is_no_sign_that_it_fires_again(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    desk.admit(delivery(alert(CPU)))
    _end(runs)
    desk.admit(delivery(resolved(CPU), at=END + 100))
    desk.admit(delivery(alert(CPU), at=END + 400, replay=True))
    assert _looked(OutcomeStore(engine), DUE).sequels == (Sequel(END + 100),)


@pytest.mark.parametrize(
    "admit",
    [
        lambda desk: desk.admit(delivery(alert(TRAFFIC))),
        lambda desk: desk.admit(delivery(alert(CPU), replay=True)),
    ],
    ids=["a rule that expects nothing", "a replay"],
)
def test_what_nobody_expects_anything_of_has_no_outcome(
    desk: SqlDesk, runs: RunStore, admit: Callable[[SqlDesk], object]
) -> None:
    admit(desk)
    _end(runs)
    assert desk.count("outcomes") == 0


@pytest.mark.parametrize("status", ["failed", "held", "shadow", "cancelled"])
def test_what_was_not_verified_has_no_outcome(desk: SqlDesk, runs: RunStore, status: str) -> None:
    desk.admit(delivery(alert(CPU)))
    _end(runs, status=status)
    assert (desk.count("outcomes"), desk.count("outcome_alerts")) == (0, 0)


def test_a_run_that_is_concluded_twice_has_one_outcome(desk: SqlDesk, runs: RunStore) -> None:
    desk.admit(delivery(alert(CPU)))
    _end(runs)
    assert not runs.conclude(RUN, RunOutcome("succeeded", "2 → 3", END + 700), END + 9)
    assert desk.rows("SELECT run, ended_at, due_at, result FROM outcomes") == [
        (RUN, END, DUE, PENDING)
    ]


def test_an_end_that_is_not_committed_leaves_no_outcome(desk: SqlDesk, engine: sa.Engine) -> None:
    desk.admit(delivery(alert(CPU)))

    def refuse(_connection: sa.Connection, _run: object) -> None:
        raise RuntimeError("the queue refuses")

    runs = RunStore(engine, refuse)
    (queued,) = desk.queued
    with pytest.raises(RuntimeError):
        runs.conclude(RUN, RunOutcome("succeeded", "", END), END, again=queued)
    assert desk.count("outcomes") == 0
    assert desk.rows("SELECT status FROM runs") == [("queued",)]


def test_of_workers_at_the_same_moment_one_looks_and_one_judges(engine: sa.Engine) -> None:
    store = _in_sql(engine)
    taken = all_at_once([lambda: store.take(DUE, 60.0, 5)] * 4)
    assert sorted(len(each) for each in taken) == [0, 0, 0, 1]
    (found,) = next(each for each in taken if each)
    verdicts = [CLEARED, NO_EFFECT, CLEARED, NO_EFFECT]

    def keep(result: str) -> bool:
        at = END if result == CLEARED else None
        judged = replace(found.judged, result=result, cleared_at=at, next_at=None)
        return store.keep(RUN, judged, DUE)

    with ThreadPoolExecutor(4) as threads:
        kept = dict(zip(range(4), threads.map(keep, verdicts), strict=True))
    winners = {verdicts[at] for at, won in kept.items() if won}
    assert len(winners) == 1, "the same result may be kept twice, another one never"


def test_a_sign_of_life_sees_that_one_is_to_be_looked_at(
    engine: sa.Engine, desk: SqlDesk, runs: RunStore
) -> None:
    leases = lease_store(engine, 15.0)
    leases.register("w1", "here", 1)
    desk.admit(delivery(alert(CPU)))
    _end(runs)
    desk.execute("UPDATE outcomes SET next_at = :later", later=NOW + 3_650 * 86_400)
    before = leases.renew("w1")
    desk.execute("UPDATE outcomes SET next_at = 1")
    after = leases.renew("w1")
    assert before is not None
    assert after is not None
    assert (before.judging, after.judging) == (False, True)


def test_the_outcomes_are_listed_and_counted_for_each_rule(
    engine: sa.Engine, desk: SqlDesk, runs: RunStore
) -> None:
    store, queries = OutcomeStore(engine), Queries(engine)
    for number, (took, again) in enumerate([(100.0, None), (300.0, 400.0)], start=1):
        at = NOW + number * 10_000
        desk.rest("api.out", NOW) if number > 1 else None
        desk.admit(delivery(alert(CPU, str(number)), at=at))
        _end(runs, f"api.out.{number}", at=at + 60)
        judged = replace(
            Judged(at + 60, at + 660, CLEARED, at + took),
            recurred_at=None if again is None else at + again,
        )
        assert store.keep(f"api.out.{number}", judged, at + 700)
    assert [each["run"] for each in queries.outcomes(OutcomeFilter()).items] == [
        "api.out.2",
        "api.out.1",
    ]
    page = queries.outcomes(OutcomeFilter(rule="high-cpu"), limit=1)
    assert page.next == "api.out.2"
    assert [each["run"] for each in queries.outcomes(OutcomeFilter(), after=page.next).items] == [
        "api.out.1"
    ]
    assert queries.outcomes(OutcomeFilter(result=NO_EFFECT)).items == ()
    assert queries.outcomes(OutcomeFilter(target="db")).items == ()
    assert queries.outcomes_of_rules() == {
        "high-cpu": {
            "verified": 2,
            "pending": 0,
            "cleared": 2,
            "no_effect": 0,
            "recurred": 1,
            "time_to_mitigate_s": {"mean": 200.0, "longest": 300.0},
        }
    }
    told = queries.run("api.out.2")
    assert told is not None
    assert (told["outcome"]["result"], told["outcome"]["took_s"]) == (CLEARED, 300.0)


def test_a_group_of_alerts_is_asked_for_together(desk: SqlDesk, runs: RunStore) -> None:
    several = notification(*(alert(CPU, str(each)) for each in range(30)))
    desk.admit(replace(delivery(alert(CPU)), notification=several))
    _end(runs)
    assert desk.count("outcome_alerts") == 30


def _in_vain(outcomes: Outcomes, number: int = 1, at: float = DUE) -> None:
    run = f"api.out.{number}"
    (found,) = (each for each in outcomes.take(at, 60.0, 5) if each.run == run)
    judged = replace(found.judged, result=NO_EFFECT, next_at=at + 30, counts=True)
    assert outcomes.keep(run, judged, at)


def test_what_had_no_effect_counts_while_its_alert_fires(outcomes: Outcomes) -> None:
    rule = _looked(outcomes, DUE).request.origin.by
    assert outcomes.in_vain(rule, "api", "out") == []
    _in_vain(outcomes, at=DUE + 100)
    assert [each.run for each in outcomes.in_vain(rule, "api", "out")] == [RUN]
    assert outcomes.in_vain(rule, "api", "in") == []
    assert outcomes.in_vain(rule, "web", "out") == []
    assert outcomes.in_vain("another-rule", "api", "out") == []


def test_what_no_longer_counts_never_counts_again(outcomes: Outcomes) -> None:
    _in_vain(outcomes)
    found = _looked(outcomes, DUE + 40)
    assert outcomes.keep(RUN, replace(found.judged, counts=False, next_at=None), DUE + 40)
    assert not outcomes.keep(RUN, replace(found.judged, counts=True), DUE + 41)
    assert outcomes.in_vain(found.request.origin.by, "api", "out") == []


def _two_in_vain(desk: SqlDesk, runs: RunStore, store: OutcomeStore) -> float:
    """Two changes for one alert that still fires; the time at which the second was judged."""
    at = NOW
    for number in (1, 2):
        desk.rest("api.out", NOW) if number > 1 else None
        desk.admit(delivery(alert(CPU), at=at))
        _end(runs, f"api.out.{number}", at=at + 60)
        at += 60 + WITHIN_S
        _in_vain(store, number, at)
    desk.rest("api.out", NOW)
    return at


def test_admission_holds_a_third_step_after_two_in_vain_and_takes_no_claim(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    at = _two_in_vain(desk, runs, OutcomeStore(engine))
    (held,) = desk.verdicts(delivery(alert(CPU), at=at + 10))
    assert (held.verdict, held.guard) == ("hold", "no_effect")
    assert "(api.out.1, api.out.2)" in held.reason
    assert desk.rows("SELECT generation FROM cooldowns WHERE key = 'api.out'") == [(2,)]
    (other,) = desk.verdicts(delivery(alert(TRAFFIC), at=at + 20))
    assert other.verdict == "act"


def test_once_the_alert_that_asked_has_resolved_the_next_one_acts_at_once(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    at = _two_in_vain(desk, runs, OutcomeStore(engine))
    desk.admit(delivery(resolved(CPU), at=at + 10))
    (decision,) = desk.verdicts(delivery(alert(CPU, "b"), at=at + 20))
    assert decision.verdict == "act"


def test_what_was_held_because_of_them_is_judged_again_when_they_count_no_more(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    store = OutcomeStore(engine)
    at = _two_in_vain(desk, runs, store)
    desk.admit(delivery(alert(CPU, "b"), at=at + 10))
    desk.admit(delivery(resolved(CPU), at=at + 20))
    assert desk.rows("SELECT id FROM alerts WHERE due_at IS NOT NULL") == []
    for each in store.take(at + 200, 60.0, 5):
        over = replace(each.judged, counts=False, next_at=None)
        assert store.keep(each.run, over, at + 200)
    assert desk.rows("SELECT fingerprint, due_at FROM alerts WHERE due_at IS NOT NULL") == [
        (f"{CPU}/b", at + 200)
    ]


def test_a_change_that_has_cleared_ends_the_row_before_it(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    store = OutcomeStore(engine)
    at = _two_in_vain(desk, runs, store)
    desk.admit(delivery(alert(TRAFFIC), at=at))
    desk.rest("api.out", NOW)
    desk.execute(
        "UPDATE outcomes SET result = 'pending', counts = :no WHERE run = :run",
        no=False,
        run="api.out.2",
    )
    (found,) = (each for each in store.take(at + 100, 60.0, 5) if each.run == "api.out.2")
    cleared = replace(found.judged, result=CLEARED, cleared_at=at, next_at=None)
    assert store.keep("api.out.2", cleared, at + 100)
    assert desk.rows("SELECT run, counts FROM outcomes ORDER BY run") == [
        ("api.out.1", False),
        ("api.out.2", False),
    ]
    assert store.take(at + 90_000, 60.0, 5) == []


def test_from_the_first_alert_to_the_page_that_is_closed_when_it_resolves(
    desk: SqlDesk, runs: RunStore, engine: sa.Engine
) -> None:
    """Admission, the end of a run, the round of a worker and the run that pages, on one record."""
    worker = FakeWorker()
    store, incidents = OutcomeStore(engine), IncidentStore(engine)
    demotions = DemotionStore(engine, bell_of(engine))
    parts = replace(
        worker.parts, runs=runs, outcomes=store, incidents=incidents, demotions=demotions
    )
    look = JudgingRound(parts)
    for number in (1, 2):
        desk.rest("api.out", 0.0) if number > 1 else None
        (decision,) = desk.verdicts(delivery(alert(CPU), at=worker.clock.time()))
        assert decision.run == f"api.out.{number}"
        _end(runs, decision.run, at=worker.clock.time())
        worker.clock.sleep(WITHIN_S + 1)
        look(True)
    (page,) = worker.pager.open.values()
    assert [each.partition(":")[0] for each in page.details["what was tried"]] == [
        "api.out.1",
        "api.out.2",
    ]
    desk.rest("api.out", 0.0)
    (held,) = desk.verdicts(delivery(alert(CPU, "b"), at=worker.clock.time()))
    assert held.guard == "no_effect"
    desk.queued.clear()
    desk.admit(delivery(resolved(CPU), at=worker.clock.time()))
    (closing,) = desk.queued
    assert closing.request.subject == page.dedup_key
    worker.clock.sleep(200)
    look(True)
    assert desk.rows("SELECT due_at FROM alerts WHERE open") == [(worker.clock.time(),)]
    runs.begin(closing.request.id, worker.clock.time())
    execute(parts, closing.request.id, dump_request(closing.request), Recorder())
    assert worker.pager.open == {}
    assert demotions.in_force() == {}
