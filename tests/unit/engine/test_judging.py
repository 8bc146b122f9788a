"""The round in which a worker judges what became of changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.alerts.dedup import in_vain_dedup_key, is_of_target
from service.domain.decisions.expected import (
    CLEARED,
    NO_EFFECT,
    PENDING,
    Expected,
    Judged,
    Sequel,
)
from service.domain.decisions.policy import Policy
from service.domain.errors import FailureKind, VendorError
from service.engine.judging import JudgingRound
from service.ports.outcomes import Outcome
from tests.fakes.engine import PLAN, FakeWorker
from tests.fakes.runs import API, request_for

WITHIN_S = 900.0
REQUEST = request_for("horizontal_scale", API)
GIVES_UP = Policy(expected=Expected(WITHIN_S, 2))
KEY = in_vain_dedup_key("a-rule", "api", "out")


def with_outcome(worker: FakeWorker, *sequels: Sequel) -> Judged:
    """A change that has just been verified."""
    now = worker.clock.time()
    judged = Judged(now, now + WITHIN_S, next_at=now)
    alerts = tuple(f"alert-{number}" for number, _ in enumerate(sequels, start=1))
    worker.outcomes.add(Outcome(REQUEST.id, REQUEST, PLAN, now, judged, alerts, sequels))
    return judged


def look(worker: FakeWorker, *sequels: Sequel) -> Judged:
    """One round, after which that is how it went on with the alerts."""
    known = worker.outcomes.rows[REQUEST.id]
    worker.outcomes.rows[REQUEST.id] = replace(known, sequels=sequels)
    JudgingRound(worker.parts)(True)
    return worker.outcomes.rows[REQUEST.id].judged


def test_a_change_whose_alert_resolves_has_cleared_once_its_episode_is_over() -> None:
    worker = FakeWorker()
    end = with_outcome(worker, Sequel(None)).ended_at
    assert look(worker, Sequel(None)).result == PENDING
    worker.clock.sleep(240)
    resolved = Sequel(worker.clock.time())
    assert look(worker, resolved).result == PENDING
    worker.clock.sleep(120)
    found = look(worker, resolved)
    assert (found.result, found.cleared_at) == (CLEARED, end + 240)


def test_a_change_whose_alert_still_fires_at_the_end_had_no_effect() -> None:
    worker = FakeWorker()
    with_outcome(worker, Sequel(None))
    worker.clock.sleep(WITHIN_S)
    found = look(worker, Sequel(None))
    assert (found.result, found.next_at) == (NO_EFFECT, None)


def test_what_is_not_to_be_looked_at_yet_is_left() -> None:
    worker = FakeWorker()
    judged = with_outcome(worker, Sequel(None))
    worker.outcomes.keep(REQUEST.id, replace(judged, next_at=worker.clock.time() + 30), 0.0)
    before = worker.outcomes.rows[REQUEST.id].judged
    assert look(worker, Sequel(worker.clock.time() - 5_000)) == before


FIRES = Sequel(None)


def in_vain(worker: FakeWorker, number: int, sequel: Sequel = FIRES) -> Outcome:
    """A change by a rule that gives up after two, whose time is over."""
    now = worker.clock.time()
    request = replace(REQUEST, id=f"api.out.{number}", policy=GIVES_UP)
    judged = Judged(now - WITHIN_S - 10 + number, now - 10 + number, next_at=now)
    outcome = Outcome(request.id, request, PLAN, now - 2_000, judged, ("alert-1",), (sequel,))
    worker.outcomes.add(outcome)
    return outcome


def round_of(worker: FakeWorker) -> None:
    JudgingRound(worker.parts)(True)


def test_the_first_change_without_effect_pages_nobody() -> None:
    worker = FakeWorker()
    in_vain(worker, 1)
    round_of(worker)
    assert worker.outcomes.rows["api.out.1"].judged.counts
    assert (worker.pager.open, worker.said()) == ({}, [])


def test_so_many_in_a_row_are_one_page_with_what_was_tried_and_what_to_look_at() -> None:
    worker = FakeWorker()
    in_vain(worker, 1)
    in_vain(worker, 2)
    round_of(worker)
    (page,) = worker.pager.open.values()
    assert (page.dedup_key, page.severity, page.component) == (KEY, "critical", "api")
    assert page.summary == (
        "It does not help: 2 changes in a row of api had no effect, and what asked for it still "
        "fires (High CPU Usage is 93). Rule a-rule gives up."
    )
    tried = page.details["what was tried"]
    assert [each.partition(", ")[0] for each in tried] == [
        "api.out.1: size small → large",
        "api.out.2: size small → large",
    ]
    assert "a slow query" in page.details["what to look at"]
    (said,) = worker.said()
    assert said.startswith("It does not help: horizontal_scale of api | 2 changes in a row of api")


def test_the_page_is_closed_when_the_alerts_that_asked_have_resolved() -> None:
    worker = FakeWorker()
    in_vain(worker, 1)
    in_vain(worker, 2)
    round_of(worker)
    assert worker.incidents.enlisted == [(KEY, ("alert-1",))]
    assert is_of_target(KEY), "while they fire it stays open"


def test_it_is_paged_once_also_when_it_is_looked_at_again() -> None:
    worker = FakeWorker()
    in_vain(worker, 1)
    in_vain(worker, 2)
    for _ in range(3):
        round_of(worker)
        worker.clock.sleep(60)
    assert (worker.pager.tries, len(worker.said())) == (1, 1)


def test_a_worker_that_died_before_the_page_has_another_one_page() -> None:
    worker = FakeWorker()
    for number in (1, 2):
        outcome = in_vain(worker, number)
        judged = replace(outcome.judged, result=NO_EFFECT, counts=True)
        worker.outcomes.add(replace(outcome, judged=judged))
    round_of(worker)
    assert list(worker.pager.open) == [KEY]


def test_a_pager_that_is_away_gets_the_page_later() -> None:
    worker = FakeWorker()
    worker.pager.problem = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "No.")
    in_vain(worker, 1)
    in_vain(worker, 2)
    round_of(worker)
    assert [late.page.dedup_key for late, _ in worker.late] == [KEY]


def test_a_change_that_clears_its_alerts_begins_the_count_anew() -> None:
    worker = FakeWorker()
    in_vain(worker, 1)
    round_of(worker)
    in_vain(worker, 2, Sequel(worker.clock.time() - 400))
    round_of(worker)
    assert worker.outcomes.rows["api.out.2"].judged.result == CLEARED
    assert not worker.outcomes.rows["api.out.1"].judged.counts
    in_vain(worker, 3)
    round_of(worker)
    assert worker.pager.open == {}


def test_alerts_that_have_resolved_begin_the_count_anew() -> None:
    worker = FakeWorker()
    first = in_vain(worker, 1)
    round_of(worker)
    known = worker.outcomes.rows[first.run]
    worker.outcomes.add(replace(known, sequels=(Sequel(worker.clock.time()),)))
    worker.clock.sleep(200)
    round_of(worker)
    assert not worker.outcomes.rows[first.run].judged.counts
    in_vain(worker, 2)
    round_of(worker)
    assert worker.pager.open == {}


@pytest.mark.parametrize("give_up", [0, 3])
def test_a_rule_that_gives_up_later_or_never_goes_on(give_up: int) -> None:
    worker = FakeWorker()
    for number in (1, 2):
        outcome = in_vain(worker, number)
        policy = Policy(expected=Expected(WITHIN_S, give_up))
        worker.outcomes.add(replace(outcome, request=replace(outcome.request, policy=policy)))
    round_of(worker)
    assert worker.pager.open == {}
    assert worker.outcomes.rows["api.out.1"].judged.counts is (give_up > 0)
