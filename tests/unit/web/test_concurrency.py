"""Waiting and working beside each other, on threads and on greenlets of one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from service.web.concurrency import Concurrency, Greenlets, Threads, at_once
from tests.unit.web.turns import read_a_pipe

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

SOON_S = 20.0


@pytest.fixture(params=[Threads, lambda: Greenlets(2)], ids=["threads", "greenlets"])
def concurrency(request: pytest.FixtureRequest) -> Concurrency:
    made: Concurrency = request.param()
    return made


def test_who_waits_goes_on_when_it_has_happened(concurrency: Concurrency) -> None:
    events = [concurrency.event() for _ in range(3)]

    def happen() -> None:
        for event in events:
            event.set()

    task = concurrency.start(happen)
    assert [event.wait(SOON_S) for event in events] == [True, True, True]
    task.join(SOON_S)


def test_who_waits_in_vain_learns_that_the_time_is_over(concurrency: Concurrency) -> None:
    happened, other = concurrency.event(), concurrency.event()
    happened.set()
    assert not other.wait(0.01)
    happened.clear()
    assert not happened.wait(0.01)


def test_what_is_gathered_has_all_that_was_ready_before(concurrency: Concurrency) -> None:
    """Each of a row of pipes is read only once the loop sees that it can be."""
    made: list[int] = []
    if isinstance(concurrency, Greenlets):
        for number in range(8):
            gevent.spawn(_make, concurrency, number, made)
        gevent.sleep(0)
    concurrency.gather(lambda: len(made))
    assert sorted(made) == (list(range(8)) if isinstance(concurrency, Greenlets) else [])


def _make(greenlets: Greenlets, number: int, made: list[int]) -> None:
    read_a_pipe(greenlets)
    made.append(number)


@pytest.mark.parametrize(
    "work",
    [at_once, Threads().aside, Threads().reserved, Greenlets(1).aside, Greenlets(1).reserved],
)
def test_work_returns_what_the_function_returns_and_raises_what_it_raises(
    work: Callable[[Callable[[], Any]], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    assert work(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        work(lambda: 1 / 0)
    assert capfd.readouterr() == ("", ""), "it is for whoever asked to tell of it"


def test_what_is_reserved_never_queues_behind_what_works_aside() -> None:
    greenlets, free = Greenlets(1), threading.Event()
    requests = [gevent.spawn(greenlets.aside, lambda: free.wait(SOON_S)) for _ in range(3)]
    gevent.sleep(0)
    assert gevent.spawn(greenlets.reserved, lambda: 7).get(timeout=SOON_S) == 7
    assert not any(each.ready() for each in requests)
    free.set()
    assert all(each.get(timeout=SOON_S) for each in requests)


def test_a_greenlet_goes_on_while_another_has_its_work_done_aside() -> None:
    greenlets = Greenlets(1)
    other_ran = threading.Event()
    blocked = gevent.spawn(greenlets.aside, lambda: other_ran.wait(SOON_S))
    gevent.spawn(other_ran.set)
    assert blocked.get(timeout=SOON_S)


def test_a_greenlet_that_pauses_lets_others_go_on() -> None:
    greenlets = Greenlets(1)
    order: list[str] = []

    def pausing() -> None:
        greenlets.pause(0.05)
        order.append("paused")

    paused = gevent.spawn(pausing)
    gevent.spawn(order.append, "other")
    paused.join(SOON_S)
    assert order == ["other", "paused"]


def test_what_works_aside_may_pause_and_call_for_work_aside_again() -> None:
    greenlets = Greenlets(1)

    def elsewhere() -> tuple[bool, bool]:
        greenlets.pause(0.001)
        return greenlets.is_here(), greenlets.aside(threading.get_ident) == threading.get_ident()

    assert gevent.spawn(greenlets.aside, elsewhere).get(timeout=SOON_S) == (False, True)
    assert greenlets.is_here()


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
