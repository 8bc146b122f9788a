"""An event loop that must not be held up, as a store needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

_Result = TypeVar("_Result")


class Loop(Protocol):
    """Implemented by a server whose requests are greenlets of one thread."""

    def is_here(self) -> bool:
        """Whether the caller is in the loop's thread; another thread may simply block."""
        ...

    def pause(self, seconds: float) -> None:
        """Sleep, while whatever else is in the caller's thread goes on; from any thread."""
        ...

    def until_ready(
        self, fileno: int, *, read: bool, write: bool, timeout_s: float | None = None
    ) -> bool:
        """Wait until a file descriptor can be read or written, at most `timeout_s` seconds; whether
        it can. In the loop's thread only."""
        ...

    def reserved(self, function: Callable[[], _Result]) -> _Result:
        """Run a blocking function, and wait for it: by the one thread that is
        reserved for this, so that it never queues behind anybody's request."""
        ...
