"""A call with a deadline, for a store or a vendor that hangs.

A database whose process is frozen fails no call: it never answers. So the call is made in a thread
of its own, and after the deadline nobody waits for it any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Result = TypeVar("_Result")


class Overdue(Exception):  # noqa: N818 - a state of what was called, not a fault
    """The call has not ended within its deadline. It may still take effect."""


class Bounded:
    """Makes calls one after the other, each within `deadline_s` seconds.

    While one hangs, the next ones are overdue at once: an outage costs one deadline, not one for
    each call.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._last_ended: threading.Event | None = None

    def __call__(self, function: Callable[[], _Result]) -> _Result:
        """Call `function`, and raise what it raises.

        Raises:
            Overdue: it does not answer, or the call before it still does not.
        """
        if self._last_ended is not None and not self._last_ended.is_set():
            raise Overdue
        call = _Call(function)
        self._last_ended = call.done
        threading.Thread(target=call.make, name="bounded", daemon=True).start()
        if not call.done.wait(self._deadline_s):
            raise Overdue
        return call.result()


class _Call(Generic[_Result]):
    """One call on its way, and what became of it."""

    def __init__(self, function: Callable[[], _Result]) -> None:
        self._function = function
        self._returned: list[_Result] = []
        self._raised: BaseException | None = None
        self.done = threading.Event()

    def make(self) -> None:
        """The thread's function."""
        try:
            self._returned.append(self._function())
        except BaseException as problem:
            self._raised = problem
        finally:
            self.done.set()

    def result(self) -> _Result:
        """What the function returned; what it raised is raised."""
        if self._raised is not None:
            raise self._raised
        return self._returned[0]
