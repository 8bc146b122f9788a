from __future__ import annotations

import threading

import pytest
from structlog.testing import CapturingLogger

from service.engine import rounds as rounds_module
from service.engine.rounds import Rounds

PATIENCE_S = 30.0


def test_rounds_go_on_until_they_are_stopped() -> None:
    seen = threading.Semaphore(0)
    rounds = Rounds("test", 0.001, seen.release)
    rounds.start()
    assert all(seen.acquire(timeout=PATIENCE_S) for _ in range(5))
    rounds.stop(PATIENCE_S)
    assert not rounds._thread.is_alive()


def test_a_round_that_fails_is_logged_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(rounds_module, "_log", log)
    seen = threading.Semaphore(0)

    def fails() -> None:
        seen.release()
        raise LookupError("a store that is away")

    rounds = Rounds("test", 0.001, fails)
    rounds.start()
    assert all(seen.acquire(timeout=PATIENCE_S) for _ in range(3))
    rounds.stop(PATIENCE_S)
    assert [(call.method_name, call.args) for call in log.calls[:2]] == [
        ("exception", ("round_failed",))
    ] * 2


def test_the_first_round_is_after_the_first_interval() -> None:
    seen = threading.Event()
    rounds = Rounds("test", 3_600.0, seen.set)
    rounds.start()
    rounds.stop(PATIENCE_S)
    assert not seen.is_set()
