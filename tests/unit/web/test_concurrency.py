"""Waiting and working beside each other, on threads and on greenlets of one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from service.web.concurrency import Concurrency, Greenlets, Threads, at_once

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

SOON_S = 20.0


@pytest.fixture(params=[Threads, lambda: Greenlets(2)], ids=["threads", "greenlets"])
def concurrency(request: pytest.FixtureRequest) -> Concurrency:
    made: Concurrency = request.param()
    return made


def test_who_waits_is_woken_from_another_thread(concurrency: Concurrency) -> None:
    waiters = [concurrency.waiter() for _ in range(3)]
    threading.Thread(target=lambda: concurrency.wake(waiters)).start()
    assert [waiter.wait(SOON_S) for waiter in waiters] == [True, True, True]


def test_who_is_not_woken_learns_that_the_time_is_over(concurrency: Concurrency) -> None:
    woken, other = concurrency.waiter(), concurrency.waiter()
    concurrency.wake([woken])
    assert not other.wait(0.01)


@pytest.mark.parametrize("work", [at_once, Threads().aside, Greenlets(1).aside])
def test_work_returns_what_the_function_returns_and_raises_what_it_raises(
    work: Callable[[Callable[[], Any]], Any],
) -> None:
    assert work(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        work(lambda: 1 / 0)


def test_a_greenlet_goes_on_while_another_has_its_work_done_aside() -> None:
    greenlets = Greenlets(1)
    other_ran = threading.Event()
    blocked = gevent.spawn(greenlets.aside, lambda: other_ran.wait(SOON_S))
    gevent.spawn(other_ran.set)
    assert blocked.get(timeout=SOON_S)


def _whole(app: WSGIApplication, closed: list[int]) -> tuple[list[bytes], list[str]]:
    said: list[str] = []

    def start_response(status: str, *_rest: Any) -> Any:
        said.append(status)

    return list(app({"closed": closed}, start_response)), said


class _Parts:
    def __init__(self, closed: list[int]) -> None:
        self._closed = closed

    def __iter__(self) -> Any:
        yield str(threading.get_ident()).encode()

    def close(self) -> None:
        self._closed.append(1)


def _app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return _Parts(environ["closed"])


def test_on_greenlets_an_application_that_may_block_has_a_thread_from_beginning_to_end() -> None:
    closed: list[int] = []
    body, said = _whole(Greenlets(1).off_the_loop(_app), closed)
    assert body != [str(threading.get_ident()).encode()]
    assert (said, closed) == (["200 OK"], [1])


def test_on_threads_an_application_is_called_as_it_is() -> None:
    assert Threads().off_the_loop(_app) is _app
