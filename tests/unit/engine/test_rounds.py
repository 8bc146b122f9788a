from __future__ import annotations

import threading

import pytest
from structlog.testing import CapturingLogger

from service.engine import rounds as rounds_module
from service.engine.rounds import Handed, Rounds

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


def test_what_is_handed_over_during_a_call_is_taken_after_it_and_only_the_last_of_it() -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    seen: list[int] = []

    def one(value: int) -> None:
        seen.append(value)
        began.set()
        assert go_on.wait(PATIENCE_S)
        if value == 3:
            ended.set()

    handed = Handed("test", one)
    handed.hand(1)
    handed.start()
    assert began.wait(PATIENCE_S), "what was handed over before the start is taken"
    handed.hand(2)
    handed.hand(3)
    go_on.set()
    assert ended.wait(PATIENCE_S)
    handed.stop(PATIENCE_S)
    assert seen == [1, 3]


def test_a_call_that_fails_is_logged_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(rounds_module, "_log", log)
    seen = threading.Semaphore(0)

    def fails(_: int) -> None:
        seen.release()
        raise LookupError("a store that is away")

    handed = Handed("test", fails)
    handed.start()
    for number in range(2):
        handed.hand(number)
        assert seen.acquire(timeout=PATIENCE_S)
    handed.stop(PATIENCE_S)
    assert [(call.method_name, call.args) for call in log.calls] == [
        ("exception", ("round_failed",))
    ] * 2


def test_nothing_is_taken_after_the_stop() -> None:
    seen: list[int] = []
    handed = Handed("test", seen.append)
    handed.start()
    handed.stop(PATIENCE_S)
    handed.hand(1)
    assert not handed._thread.is_alive()
    assert seen == []
