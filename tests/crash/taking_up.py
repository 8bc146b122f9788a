"""Ways in which a run whose worker was killed goes on, tried at many points at once.

Most of the time of one crash is waited for a lease to end, so several happen at once, each with a
sandbox, a database and workers of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.crash.stand import Stand, a_stand
from tests.databases import Databases

AT_ONCE = 3
"""Stands at once: each has two workers, and more of them than cores only wait for each other."""
TakenUp = Callable[[Stand, str], None]


def restarted(stand: Stand, failpoint: str) -> None:
    """The only worker dies there; another one is started after it."""
    first = stand.worker(failpoint)
    first.join(60)
    assert first.exitcode == -signal.SIGKILL, stand.report()
    stand.worker()


def adopted(stand: Stand, failpoint: str) -> None:
    """Two workers live; the one that takes the run dies there."""
    for _ in range(2):
        stand.worker(failpoint)
    stand.wait_for(lambda: stand.killed() == 1, "one of the workers to die")


def crashes(
    databases: Databases, home: Path, failpoints: Iterable[str], crash: TakenUp, rules: str = ""
) -> dict[str, Future[None]]:
    """What became of `crash` at each failpoint, each on a stand of its own, by these rules."""

    def one(failpoint: str) -> None:
        its_home = home / failpoint.replace(":", "-")
        its_home.mkdir()
        with databases.borrowed() as url, a_stand(its_home, url, rules=rules) as stand:
            crash(stand, failpoint)

    databases.fresh()  # makes the original, which is not a thing for many threads
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {failpoint: pool.submit(one, failpoint) for failpoint in failpoints}
