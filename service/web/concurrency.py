"""How requests of one process wait and work beside each other: as threads or as greenlets.

`Threads` is for any threaded WSGI server. `Greenlets` is for gunicorn with `StormWorker`: all
webhooks, and the committer behind them, share one thread, so that a request that waits costs no
thread and nobody fights for the interpreter's lock (docs/performance.md has the figures); what
works long or blocks gets a thread of its own. The standard library is not patched: only what is
written here knows of greenlets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import gevent
import gevent.event
from gevent.threadpool import ThreadPool

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_Result = TypeVar("_Result")

_READABLE, _WRITABLE = 1, 2
_LAST = -2
"""What libev calls EV_READ, EV_WRITE and EV_MINPRI: after everything else that is ready."""
_APART = 2
"""Threads for health: two platforms may ask at once."""


class Work(Protocol):
    """Calls a function, here or elsewhere, and returns what it returns."""

    def __call__(self, function: Callable[[], _Result]) -> _Result:
        """Call the function and return what it returns."""


def at_once(function: Callable[[], _Result]) -> _Result:
    """Work that is short enough to be done right here."""
    return function()


class Event(Protocol):
    """What is waited for: `threading.Event`, or gevent's."""

    def set(self) -> object:
        """It has happened: whoever waits goes on."""

    def clear(self) -> object:
        """It may happen again."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it happens, at most `timeout` seconds; whether it has."""


class Task(Protocol):
    """What was started."""

    def join(self, timeout: float | None = None) -> object:
        """Wait for its end, at most `timeout` seconds."""


class Concurrency(Protocol):
    """How requests run beside each other, and what serves all of them."""

    def event(self) -> Event:
        """Something to wait for, that has not happened yet."""

    def start(self, function: Callable[[], None]) -> Task:
        """Call a function beside the requests; it must not block more than they may."""

    def gather(self, count: Callable[[], int]) -> None:
        """Let requests go on that could, until `count` of what they made stays the same."""

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """Call a function that works long or blocks, while other requests go on."""

    def one_by_one(self, function: Callable[[], _Result]) -> _Result:
        """The same for what also takes much memory: one at a time."""

    def reserved(self, function: Callable[[], _Result]) -> _Result:
        """The same for what serves all requests, and so must not queue behind one of them."""

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """The same application, such that it may block; its answers are short."""

    def apart(self, app: WSGIApplication) -> WSGIApplication:
        """The same for what must be answered also while all others hang."""


class Threads:
    """Each request has a thread."""

    def event(self) -> threading.Event:
        """A thread's."""
        return threading.Event()

    def start(self, function: Callable[[], None]) -> threading.Thread:
        """A thread of its own."""
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        return thread

    def gather(self, count: Callable[[], int]) -> None:
        """Nothing: they go on by themselves."""

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """Here: others have threads of their own."""
        return function()

    reserved = one_by_one = aside

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """As it is: there is no loop."""
        return app

    apart = off_the_loop


class Greenlets:
    """Requests are greenlets on the loop of the thread that makes this.

    Beside it are `threads` threads for what blocks, one thread for large notifications, and one
    that serves all requests (`reserved`).

    It is also the `Loop` (`service.ports.loop`) on which a store may wait.
    """

    def __init__(self, threads: int) -> None:
        self._hub = gevent.get_hub()
        self._thread = threading.get_ident()
        self._pool = ThreadPool(threads)
        self._one_by_one = ThreadPool(1)
        self._reserved = ThreadPool(1)
        self._apart = ThreadPool(_APART)

    def event(self) -> Event:
        """The loop's."""
        made: Event = gevent.event.Event()  # type: ignore[assignment]  # overloads, to the same end
        return made

    def start(self, function: Callable[[], None]) -> gevent.Greenlet[[], None]:
        """One more greenlet."""
        return gevent.spawn(function)

    def gather(self, count: Callable[[], int]) -> None:
        """Let the loop go round for as long as that brings more."""
        before = -1
        while (now := count()) != before:
            before = now
            self._wait(self._hub.loop.timer(0.0, priority=_LAST))

    def is_here(self) -> bool:
        """Whether the caller is a greenlet of this loop."""
        return threading.get_ident() == self._thread

    def pause(self, seconds: float) -> None:
        """Sleep; here as a greenlet."""
        if self.is_here():
            gevent.sleep(seconds)
        else:
            time.sleep(seconds)

    def until_ready(
        self, fileno: int, *, read: bool, write: bool, timeout_s: float | None = None
    ) -> bool:
        """Wait for a file descriptor."""
        timeout = gevent.Timeout(timeout_s)
        try:
            with timeout:
                self._wait(self._hub.loop.io(fileno, read * _READABLE | write * _WRITABLE))
        except gevent.Timeout as over:
            if over is not timeout:
                raise
            return False
        return True

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """On one of the other threads; from one of them, right there."""
        return self._called(function, self._pool)

    def one_by_one(self, function: Callable[[], _Result]) -> _Result:
        """On the one thread for it; from another, right there."""
        return self._called(function, self._one_by_one)

    def reserved(self, function: Callable[[], _Result]) -> _Result:
        """On the thread that is reserved; from another, right there."""
        return self._called(function, self._reserved)

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """Its requests go to the other threads, whole."""
        return self._moved(app, self._pool)

    def apart(self, app: WSGIApplication) -> WSGIApplication:
        """Its requests go to threads that nothing else uses."""
        return self._moved(app, self._apart)

    def _moved(self, app: WSGIApplication, pool: ThreadPool) -> WSGIApplication:
        def moved(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            return self._called(lambda: _whole(app, environ, start_response), pool)

        return moved

    def _called(self, function: Callable[[], _Result], pool: ThreadPool) -> _Result:
        if not self.is_here():
            return function()
        # An exception that a pool sees it also prints, raw, to standard error.
        outcome: tuple[Any, Exception | None] = pool.apply(_outcome, (function,))
        result: _Result = outcome[0]
        if outcome[1] is not None:
            raise outcome[1]
        return result

    def _wait(self, watcher: Any) -> None:
        try:
            self._hub.wait(watcher)
        finally:
            watcher.close()


def _outcome(function: Callable[[], _Result]) -> tuple[Any, Exception | None]:
    try:
        return function(), None
    except Exception as error:
        return None, error


def _whole(
    app: WSGIApplication, environ: dict[str, Any], start_response: StartResponse
) -> list[bytes]:
    parts = app(environ, start_response)
    try:
        return list(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
