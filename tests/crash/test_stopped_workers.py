"""Workers that are stopped and not dead, and workers that are told to end."""

from __future__ import annotations

import signal

import pytest

from service.bootstrap.worker import LOST_RUN_EXIT
from tests.crash.forked_worker import ForkedWorker
from tests.crash.stand import PATIENCE_S, SHIPPED_LEASE_S, Stand, a_stand
from tests.databases import PostgresDatabases
from tests.postgres import postgres_server

pytestmark = pytest.mark.crash

RUN = "worker-vm.up.1"
LARGER = ("active", "s-1vcpu-2gb")


def looks(stand: Stand, reason: str) -> list[str]:
    """The states of the fresh looks that were queued for a reason."""
    return [status for name, status in stand.workflows().items() if f"~look.{reason}" in name]


def adopted_from_a_stopped_worker(stand: Stand, failpoint: str) -> ForkedWorker:
    """A worker that was stopped right before a write, and whose run another one has finished."""
    stand.fire("High Memory Usage")
    zombie = stand.worker(failpoint)
    stand.wait_for(lambda: stand.reached(failpoint), "the worker to come to its write")
    stand.pause(zombie)
    stand.worker()
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "another to finish the run")
    assert stand.droplet() == LARGER
    return zombie


@pytest.mark.parametrize("write", ["shutdown", "resize", "power_on"])
def test_a_stopped_worker_whose_run_was_adopted_ends_and_the_droplet_is_on(
    stand: Stand, write: str
) -> None:
    failpoint = f"pause:{write}"
    zombie = adopted_from_a_stopped_worker(stand, failpoint)

    stand.go_on(zombie, failpoint)
    zombie.join(PATIENCE_S)

    assert zombie.exitcode == LOST_RUN_EXIT, stand.report()
    stand.wait_for(
        lambda: "SUCCESS" in looks(stand, "retired") + looks(stand, "fenced"), "a fresh look"
    )
    assert stand.droplet() == LARGER, stand.report()
    assert stand.runs() == {RUN: "succeeded"}, stand.report()


def test_a_late_power_off_of_a_former_execution_is_undone_at_once(stand: Stand) -> None:
    zombie = adopted_from_a_stopped_worker(stand, "late:shutdown")

    stand.go_on(zombie, "late:shutdown")
    stand.wait_for(lambda: stand.writes()["shutdown"] == 2, "the late write")
    zombie.join(PATIENCE_S)

    assert zombie.exitcode == LOST_RUN_EXIT, stand.report()
    # It learns that it was replaced by its fence, or by its own lease where that came first.
    stand.wait_for(
        lambda: "SUCCESS" in looks(stand, "fenced") + looks(stand, "retired"), "a fresh look"
    )
    assert stand.writes()["power_on"] == 2, stand.report()
    assert stand.droplet() == LARGER, stand.report()


def test_an_idle_worker_that_finds_itself_retired_ends(stand: Stand) -> None:
    stopped, other = stand.worker(), stand.worker()
    stand.wait_for(lambda: stand.started(stopped) and stand.started(other), "two workers")
    stand.pause(stopped)
    stand.wait_for(lambda: stand.retired(stopped), "the stopped one to be retired")

    stand.go_on(stopped)
    stopped.join(PATIENCE_S)

    assert stopped.exitcode == LOST_RUN_EXIT, stand.report()
    assert other.is_alive()


def test_a_worker_that_is_stopped_for_less_than_its_lease_goes_on(stand: Stand) -> None:
    worker, other = stand.worker(lease_s=SHIPPED_LEASE_S), stand.worker(lease_s=SHIPPED_LEASE_S)
    stand.wait_for(lambda: stand.started(worker) and stand.started(other), "two workers")
    stand.pause(worker)
    before = stand.lease_until(worker)

    stand.go_on(worker)

    stand.wait_for(lambda: stand.lease_until(worker) > before, "a further sign of life")
    assert worker.is_alive(), stand.report()
    assert not stand.retired(worker), stand.report()


def test_a_worker_told_to_end_hands_its_run_on_and_the_droplet_comes_on(stand: Stand) -> None:
    stand.slow_down(4.0)
    stand.fire("High Memory Usage")
    first = stand.worker()
    stand.wait_for(lambda: stand.droplet()[0] == "off", "the droplet to be off")

    stand.worker()
    first.send(signal.SIGTERM)
    first.join(PATIENCE_S)
    assert first.exitcode == 0, stand.report()

    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the other to finish the run")
    assert stand.droplet() == LARGER, stand.report()
    assert stand.runs() == {RUN: "succeeded"}, stand.report()
    once = {"snapshot": 1, "shutdown": 1, "resize": 1, "power_on": 1}
    assert stand.writes() == once, stand.report()


def test_a_worker_told_to_end_while_idle_ends_and_is_retired(stand: Stand) -> None:
    worker = stand.worker()
    stand.wait_for(lambda: stand.started(worker), "the worker")

    worker.send(signal.SIGTERM)
    worker.join(PATIENCE_S)

    assert worker.exitcode == 0, stand.report()
    assert stand.retired(worker)


def test_a_database_that_goes_away_in_the_disruptive_section_leaves_no_droplet_off(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with (
        postgres_server() as server,
        a_stand(tmp_path_factory.mktemp("stand"), PostgresDatabases(server).fresh()) as stand,
    ):
        stand.slow_down(0.5)
        stand.fire("High Memory Usage")
        worker = stand.worker()
        until_off = "the droplet to be off"
        stand.wait_for(lambda: stand.droplet()[0] == "off", until_off)

        server.stop()

        stand.wait_for(lambda: stand.droplet() == LARGER, "the droplet to be on", report=False)
        worker.join(PATIENCE_S)
        assert worker.exitcode == LOST_RUN_EXIT
