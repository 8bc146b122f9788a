"""A worker killed at any point of horizontal_scale: one more instance, by one deployment."""

from __future__ import annotations

import signal

import pytest

from tests.crash.stand import Stand

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


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_there_and_restarted_it_deploys_once(stand: Stand, failpoint: str) -> None:
    stand.fire("High CPU Usage")
    first = stand.worker(failpoint)
    first.join(60)
    assert first.exitcode == -signal.SIGKILL, stand.report()

    stand.worker()

    assert_scaled_once(stand)


@pytest.mark.parametrize("failpoint", FAILPOINTS[:3])
def test_killed_there_and_adopted_it_deploys_once(stand: Stand, failpoint: str) -> None:
    workers = [stand.worker(failpoint), stand.worker(failpoint)]
    stand.fire("High CPU Usage")

    assert_scaled_once(stand)
    died = [worker for worker in workers if worker.exitcode == -signal.SIGKILL]
    assert len(died) == 1, stand.report()
