"""A worker killed at any point of vertical_scale: the droplet ends on, at its new size, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand
from tests.crash.taking_up import TakenUp, adopted, crashes, restarted
from tests.databases import Databases

pytestmark = pytest.mark.crash

RUN = "worker-vm.up.1"
STEPS = ("prepare", "announce", "snapshot", "resize", "verify", "conclude", "report")
WRITES = ("snapshot", "shutdown", "resize", "power_on")
BOUNDARIES = [f"{when}:{step}" for step in STEPS for when in ("done", "recorded")]
SENDS = [f"{when}:{write}" for write in WRITES for when in ("before", "after")]


def assert_resized_once(stand: Stand) -> None:
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
    assert stand.runs() == {RUN: "succeeded"}, stand.report()
    assert stand.droplet() == ("active", "s-1vcpu-2gb"), stand.report()
    assert stand.writes() == dict.fromkeys(WRITES, 1), stand.report()
    said = stand.announcements()
    assert 1 <= len(said) <= 2, stand.report()
    assert len(set(said)) == 1, stand.report()


@pytest.mark.parametrize("taken_up", [pytest.param(restarted, marks=pytest.mark.long), adopted])
def test_killed_at_any_point_and_taken_up_it_finishes_once(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests, taken_up: TakenUp
) -> None:
    def crash(stand: Stand, failpoint: str) -> None:
        stand.fire("High Memory Usage")
        taken_up(stand, failpoint)
        assert_resized_once(stand)

    for failpoint, ended in crashes(databases, tmp_path, BOUNDARIES + SENDS, crash).items():
        with subtests.test(killed=failpoint):
            ended.result()
