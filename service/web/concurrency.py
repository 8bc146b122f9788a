"""How the requests of one process run beside each other: as threads or as greenlets.

`Threads` is for any threaded WSGI server. `Greenlets` is for gunicorn with `StormWorker`. There,
all webhooks and their committer share one thread. A request that waits costs no thread, and no two
threads compete for the interpreter's lock (docs/performance.md has the figures). Functions that
block or take long run on other threads. The standard library is not patched, so only this module
knows of greenlets.
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
"""libev's EV_READ, EV_WRITE and EV_MINPRI. A watcher with the lowest priority fires after
everything else that is ready."""
_APART = 2
"""Threads for health checks: two platforms may ask at the same time."""


class Work(Protocol):
    """Calls a function on this thread or on another one, and returns its result."""

    def __call__(self, function: Callable[[], _Result]) -> _Result:
        """Call the function and return its result."""


def at_once(function: Callable[[], _Result]) -> _Result:
    """Call the function on this thread: it is short enough."""
    return function()


class Event(Protocol):
    """Something to wait for: `threading.Event`, or gevent's."""

    def set(self) -> object:
        """Let everybody who waits go on."""

    def clear(self) -> object:
        """Make the next `wait` wait again."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most `timeout` seconds. Whether it is set."""


class Task(Protocol):
    """A thread or a greenlet that was started."""

    def join(self, timeout: float | None = None) -> object:
        """Wait for its end, at most `timeout` seconds."""


class Concurrency(Protocol):
    """How requests run beside each other, and where longer work runs."""

    def event(self) -> Event:
        """A new event, not set."""

    def start(self, function: Callable[[], None]) -> Task:
        """Call a function beside the requests. It must not block longer than a request may."""

    def gather(self, count: Callable[[], int]) -> None:
        """Let other requests go on until `count()` stays the same.

        The committer uses it to wait for deliveries that are ready to join its batch.
        """

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """Call a function that takes long or blocks, while other requests go on."""

    def one_by_one(self, function: Callable[[], _Result]) -> _Result:
        """Like `aside`, for a function that also takes much memory: one at a time."""

    def reserved(self, function: Callable[[], _Result]) -> _Result:
        """Like `aside`, for a function that all requests need: it never queues behind one."""

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """The same application, run where it may block. Its answers must be short."""

    def apart(self, app: WSGIApplication) -> WSGIApplication:
        """Like `off_the_loop`, for an application that must answer even while all others hang."""


class Threads:
    """Each request has a thread."""

    def event(self) -> threading.Event:
        """A thread's event."""
        return threading.Event()

    def start(self, function: Callable[[], None]) -> threading.Thread:
        """Start a daemon thread."""
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        return thread

    def gather(self, count: Callable[[], int]) -> None:
        """Do nothing: other threads go on by themselves."""

    def aside(self, function: Callable[[], _Result]) -> _Result:
        """Call it on this thread: other requests have threads of their own."""
        return function()

    reserved = one_by_one = aside

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """The application as it is: there is no loop to keep free."""
        return app

    apart = off_the_loop


class Greenlets:
    """Requests are greenlets on the event loop of the thread that makes this object.

    Beside the loop are `threads` threads for functions that block, one thread for large
    notifications, one reserved for work that serves all requests (`reserved`), and two for health
    checks. A method that is called from another thread than the loop's calls its function there.

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
        """An event of the loop."""
        made: Event = gevent.event.Event()  # type: ignore[assignment]  # overloads, to the same end
        return made

    def start(self, function: Callable[[], None]) -> gevent.Greenlet[[], None]:
        """Start a greenlet."""
        return gevent.spawn(function)

    def gather(self, count: Callable[[], int]) -> None:
        """Let the loop go round until `count()` no longer changes."""
        before = -1
        while (now := count()) != before:
            before = now
            self._wait(self._hub.loop.timer(0.0, priority=_LAST))

    def is_here(self) -> bool:
        """Whether the caller runs on the loop's thread."""
        return threading.get_ident() == self._thread

    def pause(self, seconds: float) -> None:
        """Sleep, without blocking the loop."""
        if self.is_here():
            gevent.sleep(seconds)
        else:
            time.sleep(seconds)

    def until_ready(
        self, fileno: int, *, read: bool, write: bool, timeout_s: float | None = None
    ) -> bool:
        """Wait for a file descriptor, as a greenlet. False when `timeout_s` seconds have passed."""
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
        """Call it on one of the other threads."""
        return self._called(function, self._pool)

    def one_by_one(self, function: Callable[[], _Result]) -> _Result:
        """Call it on the one thread for large notifications."""
        return self._called(function, self._one_by_one)

    def reserved(self, function: Callable[[], _Result]) -> _Result:
        """Call it on the reserved thread."""
        return self._called(function, self._reserved)

    def off_the_loop(self, app: WSGIApplication) -> WSGIApplication:
        """Handle each of its requests on one of the other threads."""
        return self._moved(app, self._pool)

    def apart(self, app: WSGIApplication) -> WSGIApplication:
        """Handle each of its requests on threads that nothing else uses."""
        return self._moved(app, self._apart)

    def _moved(self, app: WSGIApplication, pool: ThreadPool) -> WSGIApplication:
        def moved(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            return self._called(lambda: _whole(app, environ, start_response), pool)

        return moved

    def _called(self, function: Callable[[], _Result], pool: ThreadPool) -> _Result:
        if not self.is_here():
            return function()
        # A pool prints each exception that it sees to standard error, with its values.
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
    """The result or the exception of a function, as a value."""
    try:
        return function(), None
    except Exception as error:
        return None, error


def _whole(
    app: WSGIApplication, environ: dict[str, Any], start_response: StartResponse
) -> list[bytes]:
    """The complete answer, so that nothing of it is made on the loop."""
    parts = app(environ, start_response)
    try:
        return list(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
