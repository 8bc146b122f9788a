"""How requests of one process wait and work beside each other: as threads or as greenlets.

`Threads` is for any threaded WSGI server. `Greenlets` is for gunicorn with `StormWorker`: all
webhooks share one thread, so a request that waits costs no thread and no fight for the
interpreter's lock (docs/performance.md has the figures); what works long or blocks gets a thread
of its own. The standard library is not patched: only what is written here knows of greenlets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_Result = TypeVar("_Result")


class Work(Protocol):
    """Calls a function, here or elsewhere, and returns what it returns."""

    def __call__(self, function: Callable[[], _Result]) -> _Result:
        """Call it."""


def at_once(function: Callable[[], _Result]) -> _Result:
    """Work that is short enough to be done right here."""
    return function()


class Waiter(Protocol):
    """What one request waits on."""

    def wait(self, timeout: float) -> bool:
        """Wait until it is woken, at most `timeout` seconds; whether it was."""


class Concurrency(Protocol):
    """How requests wait, are woken from another thread, and do what would hold others up."""

    def waiter(self) -> Waiter:
        """Something new to wait on, for the calling request."""

    def wake(self, waiters: Iterable[Any]) -> None:
        """Wake the requests that wait on these, its own; called from any thread."""

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """Call a function that works long or blocks, while other requests go on."""

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """The same application, such that it may block; its answers are short."""


class _Latch:
    """Waited on once by one thread; a bare lock, which costs a tenth of a threading.Event."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=timeout)

    def open(self) -> None:
        self._lock.release()


class Threads:
    """Each request has a thread."""

    def waiter(self) -> _Latch:
        """A latch."""
        return _Latch()

    def wake(self, waiters: Iterable[_Latch]) -> None:
        """Open each."""
        for waiter in waiters:
            waiter.open()

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """Here: others have threads of their own."""
        return function()

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """As it is: there is no loop."""
        return app


class Greenlets:
    """Requests share the thread that makes this, and its loop; `threads` others work aside."""

    def __init__(self, threads: int) -> None:
        self._loop = gevent.get_hub().loop
        self._pool = ThreadPool(threads)

    def waiter(self) -> Event:
        """An event of the loop."""
        return Event()

    def wake(self, waiters: Iterable[Event]) -> None:
        """In the loop, by the one call of it that other threads may make."""
        self._loop.run_callback_threadsafe(_set_all, list(waiters))

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """On one of the other threads."""
        result: _Result = self._pool.apply(function)
        return result

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """Its requests go to the other threads, whole."""

        def apart(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            return self.aside(lambda: _whole(app, environ, start_response))

        return apart


def _set_all(events: Iterable[Event]) -> None:
    for event in events:
        event.set()


def _whole(
    app: WSGIApplication, environ: dict[str, Any], start_response: StartResponse
) -> list[bytes]:
    parts = app(environ, start_response)
    try:
        return list(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
