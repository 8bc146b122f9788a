from __future__ import annotations

import threading
import time

import pytest

from service.web.probe import Probe, Unanswered

LONG_S = 20.0


def test_an_answer_and_a_fault_come_as_they_are() -> None:
    assert Probe(lambda: 7, LONG_S).ask() == 7
    broken: Probe[float] = Probe(lambda: 1 / 0, LONG_S)
    with pytest.raises(ZeroDivisionError):
        broken.ask()


def test_a_question_that_hangs_is_given_up_at_the_deadline_and_asked_once() -> None:
    released, asked = threading.Event(), []

    def hang() -> str:
        asked.append(1)
        released.wait(LONG_S)
        return "late"

    probe = Probe(hang, 0.2)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(Unanswered, match=r"within 0\.2 s"):
            probe.ask()
    # The first waits out the deadline; those after it are answered at once, by no further thread.
    assert time.monotonic() - began < LONG_S / 2
    assert len(asked) == 1
    released.set()


def test_a_question_that_has_come_back_is_asked_anew() -> None:
    answers = iter([1, 2])
    probe = Probe(lambda: next(answers), LONG_S)
    assert [probe.ask(), probe.ask()] == [1, 2]
