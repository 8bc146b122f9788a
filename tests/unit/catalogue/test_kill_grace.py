"""How long a cancelled query has to end before its session is ended, by the clock of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from service.catalogue.app_database.work import CANCEL_GRACE_S, DatabaseWork
from service.catalogue.spec import Tools
from service.domain.decisions.planning import Plan
from service.ports.app_database import AppDatabase, Work
from tests.fakes.clock import FakeClock
from tests.fakes.runs import APP_DATABASE, FakeContext, request_for
from tests.fakes.telling import FakeProbe

QUERY = {"pid": 41, "began": "a", "since": "b", "state": "active"}
PLAN = Plan("sessions", "pid 41", "ended", ("terminate",), {"running": [QUERY], "idle": []})


class Sessions:
    """One query, which ends by itself `after_s` seconds after the test began, or never."""

    def __init__(self, clock: FakeClock, after_s: float = float("inf")) -> None:
        self._clock = clock
        self._ends_at = clock.monotonic() + after_s
        self.ended_at: float | None = None

    def going_on(self, works: Sequence[Work]) -> Sequence[Work]:
        over = self.ended_at is not None or self._clock.monotonic() >= self._ends_at
        return [] if over else works

    def terminate(self, works: Sequence[Work]) -> Sequence[int]:
        self.ended_at = self._clock.monotonic()
        return [each.pid for each in works]


def terminated(sessions: Sessions, clock: FakeClock) -> dict[str, Any]:
    """The record of the step that ends sessions."""
    work = DatabaseWork(cast(AppDatabase, sessions), Tools(FakeProbe(), clock))
    step = work.steps()["terminate"]
    return dict(step(FakeContext(clock, {}), request_for("kill_queries", APP_DATABASE), PLAN, {}))


def test_a_session_is_ended_once_its_cancelled_query_has_had_five_seconds() -> None:
    clock = FakeClock()
    sessions, began = Sessions(clock), clock.monotonic()
    assert terminated(sessions, clock) == {"told": [41]}
    assert sessions.ended_at is not None
    waited = sessions.ended_at - began
    assert 5.0 <= waited < 10.0
    assert CANCEL_GRACE_S == 5.0


def test_a_session_whose_query_ends_in_its_last_moment_lives() -> None:
    clock = FakeClock()
    sessions = Sessions(clock, after_s=4.9)
    assert terminated(sessions, clock) == {"told": []}
    assert sessions.ended_at is None


def test_a_query_that_ends_at_once_keeps_nobody_waiting() -> None:
    clock = FakeClock()
    began = clock.monotonic()
    assert terminated(Sessions(clock, after_s=0.0), clock) == {"told": []}
    assert clock.monotonic() - began < 1.0
