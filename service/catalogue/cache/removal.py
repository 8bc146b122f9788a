"""Removing the keys with some prefixes from a server that goes on serving, piece by piece.

Each piece is looked for and then removed. So what was lost on the way is looked for again before
anything is sent again, and a crash leaves nothing to be remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from service.catalogue.context import Record, StepContext
from service.catalogue.steps.polling import read
from service.catalogue.steps.timings import Timings
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.cache import AppCache

PIECE = 500
"""Keys of one piece. The server does nothing else meanwhile, for some tenths of a millisecond."""
PAUSE_S = 0.005
"""Seconds between two pieces, in which others are served. 100,000 keys are 200 pieces."""
TOLD_EACH_S = 5.0
"""Seconds between two lines in the run's thread that tell how far it is."""
T = TypeVar("T")
MOST_WALKS = 3
"""A walk begins again where the server's process has changed on the way."""


class Removal:
    """One removal on its way. `may_have_removed` is whether anything can be gone by it."""

    def __init__(
        self, cache: AppCache, context: StepContext, timings: Timings, *, unsure: bool
    ) -> None:
        self._cache = cache
        self._context = context
        self._timings = timings
        self._removed = 0
        self._pieces = 0
        self._until = context.clock.monotonic() + timings.flush_deadline_s
        self._told_at = context.clock.monotonic()
        self.may_have_removed = unsure

    def of(self, prefixes: Sequence[str]) -> Record:
        """Walk over all keys for each prefix; what was removed, and from which server process.

        Raises:
            StepFailed: it took too long, or the server is replaced again and again.
            VendorError: the server refuses, or stays away.
            FencedOut: another execution owns this run.
        """
        for _ in range(MOST_WALKS):
            began_on = self._server()
            for prefix in prefixes:
                self._walk(prefix)
            if self._server() == began_on:
                return {"removed": self._removed, "pieces": self._pieces, "server": began_on}
            self._context.progress("The cache's server was restarted: walking over it once more.")
        raise StepFailed(
            "remove",
            f"The cache's server was restarted or replaced during each of {MOST_WALKS} walks over "
            f"its keys. {self._so_far()} Look at why it restarts, then flush once more.",
        )

    def _walk(self, prefix: str) -> None:
        cursor = 0
        while True:
            cursor = self._piece(prefix, cursor)
            if cursor == 0:
                return
            if self._context.clock.monotonic() >= self._until:
                raise StepFailed(
                    "remove",
                    f"The flush of {prefix} was not through after "
                    f"{self._timings.flush_deadline_s / 60:.0f} minutes. {self._so_far()} "
                    f"`runbookd retry {self._context.run_id}` goes on with the rest.",
                )
            self._context.clock.sleep(PAUSE_S)
            self._tell(prefix)

    def _piece(self, prefix: str, cursor: int) -> int:
        """Remove one piece; where the next one begins. After a lost answer it is looked for again,
        and only what is still there is removed."""
        for _ in range(self._timings.write_attempts):
            found = self._repeated(partial(self._cache.walk, prefix, cursor, PIECE))
            if not found.keys:
                return found.cursor
            try:
                self._repeated(partial(self._unlink, found.keys))
            except VendorError as problem:
                if problem.kind is not FailureKind.UNKNOWN:
                    raise
                self.may_have_removed = True
                self._context.progress(f"{problem} Looking what is still there.")
                last = problem
                continue
            return found.cursor
        raise StepFailed(
            "remove",
            f"{last} It was asked for {self._timings.write_attempts} times. {self._so_far()} "
            f"`runbookd retry {self._context.run_id}` goes on with the rest.",
        )

    def _unlink(self, keys: Sequence[bytes]) -> None:
        self._context.fence()
        count = self._cache.unlink(keys)
        self.may_have_removed = True
        self._removed += count
        self._pieces += 1

    def _server(self) -> str:
        return self._repeated(self._cache.server).run_id

    def _repeated(self, call: Callable[[], T]) -> T:
        """A call, repeated while the server takes nothing."""
        return read(call, clock=self._context.clock, timings=self._timings)

    def _tell(self, prefix: str) -> None:
        now = self._context.clock.monotonic()
        if now - self._told_at >= TOLD_EACH_S:
            self._told_at = now
            self._context.progress(f"{self._removed:,} keys removed; now at {prefix}.")

    def _so_far(self) -> str:
        return f"{self._removed:,} keys were removed, and the rest stays as it is."
