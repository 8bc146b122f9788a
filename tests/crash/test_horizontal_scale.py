"""A worker killed at any point of horizontal_scale: one more instance, by one deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand
from tests.crash.taking_up import TakenUp, adopted, crashes, restarted
from tests.databases import Databases

pytestmark = pytest.mark.crash

RUN = "api.out.1"
FAILPOINTS = (
    "before:update_app",
    "after:update_app",
    "done:update_app",
    "recorded:update_app",
    "done:await_deployment",
    "done:verify",
)


def assert_scaled_once(stand: Stand) -> None:
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
    assert stand.runs() == {RUN: "succeeded"}, stand.report()
    assert stand.instances() == 3, stand.report()
    assert stand.writes() == {"update_app": 1}, stand.report()


@pytest.mark.parametrize("taken_up", [restarted, adopted])
def test_killed_around_its_write_and_taken_up_it_deploys_once(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests, taken_up: TakenUp
) -> None:
    def crash(stand: Stand, failpoint: str) -> None:
        stand.fire("High CPU Usage")
        taken_up(stand, failpoint)
        assert_scaled_once(stand)

    for failpoint, ended in crashes(databases, tmp_path, FAILPOINTS, crash).items():
        with subtests.test(killed=failpoint):
            ended.result()
