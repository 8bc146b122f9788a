from __future__ import annotations

import threading
import time

import pytest

from service.bounded import Bounded, Overdue
from service.domain.errors import StoreUnavailable
from tests.processes import wait_until


def test_what_answers_in_time_answers_as_if_called() -> None:
    bounded = Bounded(30.0)
    assert bounded(lambda: 7) == 7
    with pytest.raises(StoreUnavailable):
        bounded(_refuse)
    assert bounded(lambda: 8) == 8


def test_what_hangs_is_overdue_and_those_after_it_are_overdue_at_once() -> None:
    bounded, go_on, called = Bounded(0.05), threading.Event(), []
    began = time.monotonic()
    with pytest.raises(Overdue):
        bounded(lambda: go_on.wait(60))
    assert time.monotonic() - began < 15.0
    bounded._deadline_s = 30.0
    with pytest.raises(Overdue):
        bounded(lambda: called.append("never"))
    assert called == []
    go_on.set()
    assert wait_until(lambda: _answers(bounded), 30)


def _answers(bounded: Bounded) -> bool:
    try:
        return bounded(lambda: True)
    except Overdue:
        return False


def _refuse() -> None:
    raise StoreUnavailable("the database cannot be used now")
