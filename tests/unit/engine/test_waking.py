from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from service.engine.waking import Sleeper, Waker

FOR_LONG_S = 60.0
PATIENCE_S = 30.0


def test_a_sleeper_is_woken_before_its_time() -> None:
    waker, stop = Waker(), threading.Event()
    sleeper = Sleeper(stop, waker)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(sleeper.wait, FOR_LONG_S)
        waker.set()
        assert waits.result(PATIENCE_S) is False, "it is not to end"


def test_a_wake_while_nobody_sleeps_is_not_lost() -> None:
    waker = Waker()
    sleeper = Sleeper(threading.Event(), waker)
    waker.set()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(sleeper.wait, FOR_LONG_S).result(PATIENCE_S) is False


def test_a_sleeper_made_of_another_ends_with_what_that_one_ends_with() -> None:
    waker, stop = Waker(), threading.Event()
    inner = Sleeper(Sleeper(stop, waker, FOR_LONG_S), waker)
    stop.set()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inner.wait, FOR_LONG_S).result(PATIENCE_S) is True
        assert inner.is_set()


def test_two_wakes_at_once_are_two_looks_with_a_pause_between() -> None:
    waker = Waker()
    sleeper = Sleeper(Sleeper(threading.Event(), waker, FOR_LONG_S), waker)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            waker.set()
            # The pause is the sleeper's own, not one of the sleeper that it was made of.
            assert pool.submit(sleeper.wait, FOR_LONG_S).result(PATIENCE_S) is False
