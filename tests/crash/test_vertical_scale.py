"""A worker killed at any point of vertical_scale: the droplet ends on, at its new size, once.

Most of the time of one crash is waited for a lease to end, so several happen at once, each with a
sandbox, a database and workers of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.databases import Databases
from tests.crash.stand import Stand, a_stand

pytestmark = pytest.mark.crash

RUN = "worker-vm.up.1"
STEPS = ("prepare", "announce", "snapshot", "resize", "verify", "conclude", "report")
WRITES = ("snapshot", "shutdown", "resize", "power_on")
BOUNDARIES = [f"{when}:{step}" for step in STEPS for when in ("done", "recorded")]
SENDS = [f"{when}:{write}" for write in WRITES for when in ("before", "after")]
AT_ONCE = 5


def restarted(stand: Stand, failpoint: str) -> None:
    """A worker dies there; another one is started after it."""
    stand.fire("High Memory Usage")
    first = stand.worker(failpoint)
    first.join(60)
    assert first.exitcode == -signal.SIGKILL, stand.report()
    stand.worker()
    stand.wait_for(lambda: told(stand), "the run's workflow to end")


def adopted(stand: Stand, failpoint: str) -> None:
    """Two workers live; the one that takes the run dies there."""
    workers = [stand.worker(failpoint), stand.worker(failpoint)]
    stand.fire("High Memory Usage")
    stand.wait_for(lambda: told(stand), "the run's workflow to end")
    died = [worker for worker in workers if worker.exitcode == -signal.SIGKILL]
    assert len(died) == 1, stand.report()


def told(stand: Stand) -> bool:
    return stand.workflows()[RUN] == "SUCCESS"


def assert_resized_once(stand: Stand) -> None:
    assert stand.runs() == {RUN: "succeeded"}, stand.report()
    assert stand.droplet() == ("active", "s-1vcpu-2gb"), stand.report()
    assert stand.writes() == dict.fromkeys(WRITES, 1), stand.report()
    said = stand.announcements()
    assert 1 <= len(said) <= 2, stand.report()
    assert len(set(said)) == 1, stand.report()


@pytest.mark.parametrize("taken_up", [restarted, adopted])
def test_killed_at_any_point_and_taken_up_it_finishes_once(
    databases: Databases,
    tmp_path: Path,
    subtests: pytest.Subtests,
    taken_up: Callable[[Stand, str], None],
) -> None:
    def crash(failpoint: str) -> None:
        home = tmp_path / failpoint.replace(":", "-")
        home.mkdir()
        with a_stand(home, databases.fresh()) as stand:
            taken_up(stand, failpoint)
            assert_resized_once(stand)

    databases.fresh()  # makes the original, which is not a thing for many threads
    with ThreadPoolExecutor(AT_ONCE) as pool:
        crashes = {point: pool.submit(crash, point) for point in BOUNDARIES + SENDS}
    for failpoint, happened in crashes.items():
        with subtests.test(killed=failpoint):
            happened.result()
