from __future__ import annotations

import threading

import pytest

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
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = threading.Semaphore(0)

    def fails() -> None:
        seen.release()
        raise LookupError("a store that is away")

    rounds = Rounds("test", 0.001, fails)
    rounds.start()
    assert all(seen.acquire(timeout=PATIENCE_S) for _ in range(3))
    rounds.stop(PATIENCE_S)
    assert "round_failed" in capsys.readouterr().out


def test_the_first_round_is_after_the_first_interval() -> None:
    seen = threading.Event()
    rounds = Rounds("test", 3_600.0, seen.set)
    rounds.start()
    rounds.stop(PATIENCE_S)
    assert not seen.is_set()
