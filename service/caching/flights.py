"""One load of a key at a time in this process; who comes meanwhile gets its result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_T = TypeVar("_T")


class LoadOverdue(Exception):  # noqa: N818 - says how the load is
    """The load of a key has taken too long, twice. It may still end, and then the cache has it."""


@dataclass(eq=False)
class Flight(Generic[_T]):
    """One load under way, and what became of it."""

    key: str
    names: Sequence[str]
    thread: int
    ended: threading.Event = field(default_factory=threading.Event)
    result: _T | None = None
    error: BaseException | None = None


class Flights(Generic[_T]):
    """The loads under way in this process. Safe for threads."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._flights: dict[str, Flight[_T]] = {}

    def under_way(self, key: str) -> bool:
        """Whether somebody loads this key right now."""
        with self._lock:
            return key in self._flights

    def begin(self, key: str, names: Sequence[str]) -> Flight[_T] | None:
        """A flight of the caller's own, who has to `fly` or `fail` it; None where there is one."""
        with self._lock:
            return None if key in self._flights else self._take(key, names, thread=0)

    def fly(self, flight: Flight[_T], load: Callable[[], _T]) -> _T:
        """Load for everybody who waits; what `load` raises all of them get."""
        flight.thread = threading.get_ident()
        try:
            result = load()
        except BaseException as error:
            self.fail(flight, error)
            raise
        flight.result = result
        self._end(flight)
        return result

    def fail(self, flight: Flight[_T], error: BaseException) -> None:
        """End a flight without a result."""
        flight.error = error
        self._end(flight)

    def forget(self, name: str) -> None:
        """Have nobody join the loads of this key or name any more, because they began too early."""
        with self._lock:
            early = [
                key for key, each in self._flights.items() if name == key or name in each.names
            ]
            for key in early:
                del self._flights[key]

    def load_or_wait(
        self, key: str, names: Sequence[str], load: Callable[[], _T]
    ) -> tuple[_T, bool]:
        """The result, and whether another thread has loaded it.

        A load that takes longer than `wait_s` is given up: one of those who wait for it loads anew,
        the others wait for that one. So a source that hangs gets one load per `wait_s` and not one
        for each caller.

        Raises:
            LoadOverdue: the second load was too slow as well.
            RuntimeError: `load` has asked for the very key that it loads.
        """
        overdue: Flight[_T] | None = None
        for _ in range(2):
            flight, mine = self._join(key, names, instead_of=overdue)
            if mine:
                return self.fly(flight, load), False
            if flight.thread == threading.get_ident():
                raise RuntimeError(f"the load of {key} asks the cache for {key} itself")
            if flight.ended.wait(self._wait_s) and not _was_ended(flight):
                return _outcome(flight), True
            overdue = flight
        raise LoadOverdue(
            f"{key} has not been loaded within {2 * self._wait_s:g} s, in two attempts: look at "
            "what it is loaded from"
        )

    def _join(
        self, key: str, names: Sequence[str], instead_of: Flight[_T] | None
    ) -> tuple[Flight[_T], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and flight is not instead_of:
                return flight, False
            return self._take(key, names, threading.get_ident()), True

    def _take(self, key: str, names: Sequence[str], thread: int) -> Flight[_T]:
        flight = Flight[_T](key, names, thread)
        self._flights[key] = flight
        return flight

    def _end(self, flight: Flight[_T]) -> None:
        with self._lock:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        flight.ended.set()


def _was_ended(flight: Flight[_T]) -> bool:
    """Whether the thread that loaded was ended, by SystemExit for example. Others need not be."""
    return flight.error is not None and not isinstance(flight.error, Exception)


def _outcome(flight: Flight[_T]) -> _T:
    if flight.error is not None:
        raise flight.error
    assert flight.result is not None  # noqa: S101 - fly and fail set one of the two
    return flight.result
