"""The round in which a worker judges what became of changes."""

from __future__ import annotations

from dataclasses import replace

from service.domain.decisions.expected import CLEARED, NO_EFFECT, PENDING, Judged, Sequel
from service.engine.judging import JudgingRound
from service.ports.outcomes import Outcome
from tests.fakes.engine import PLAN, FakeWorker
from tests.fakes.runs import API, request_for

WITHIN_S = 900.0
REQUEST = request_for("horizontal_scale", API)


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
