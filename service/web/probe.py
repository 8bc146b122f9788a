"""Asks a question that may hang, with a deadline.

A frozen PostgreSQL neither answers nor closes the connection. So each question runs in a thread of
its own. There is at most one such thread: while it hangs, the next caller waits for the same
answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class Unanswered(Exception):  # noqa: N818 - a state of the question, told in a sentence
    """The question was not answered within its deadline."""


class Probe(Generic[_Answer]):
    """Asks `question`, and waits at most `deadline_s` seconds for the answer."""

    def __init__(self, question: Callable[[], _Answer], deadline_s: float) -> None:
        self._question = question
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._attempt: _Attempt[_Answer] | None = None

    def ask(self) -> _Answer:
        """The answer, also of a question that an earlier caller has asked and that still runs.

        Raises:
            Unanswered: there was no answer within the deadline, counted from the question's start.
            Exception: the question raised it.
        """
        with self._lock:
            attempt = self._attempt
            if attempt is None or attempt.over.is_set():
                attempt = self._attempt = _Attempt(self._question)
        return attempt.answer(self._deadline_s)


class _Attempt(Generic[_Answer]):
    def __init__(self, question: Callable[[], _Answer]) -> None:
        self.over = threading.Event()
        self._question = question
        self._began = time.monotonic()
        self._answer: _Answer
        self._fault: Exception | None = None
        threading.Thread(target=self._run, name="probe", daemon=True).start()

    def answer(self, deadline_s: float) -> _Answer:
        left_s = self._began + deadline_s - time.monotonic()
        if not self.over.wait(max(0.0, left_s)):
            raise Unanswered(f"there was no answer within {deadline_s:g} s")
        if self._fault is not None:
            raise self._fault
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._question()
        except Exception as fault:
            self._fault = fault
        self.over.set()
