"""A droplet that is off is paged and brought on, whatever becomes of worker, database, vendor."""

from __future__ import annotations

import signal

import pytest

from tests.crash.stand import Stand, a_stand
from tests.databases import PostgresDatabases
from tests.postgres import postgres_server

pytestmark = pytest.mark.crash

RUN = "worker-vm.up.1"
LARGER = ("active", "s-1vcpu-2gb")
PAGE = f"runbookd/run/{RUN}"
FOR_LONG = 10_000


def off(stand: Stand) -> None:
    stand.wait_for(lambda: stand.droplet()[0] == "off", "the droplet to be off")


def test_a_frozen_database_delays_neither_the_page_nor_the_droplet(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with (
        postgres_server() as server,
        a_stand(tmp_path_factory.mktemp("stand"), PostgresDatabases(server).fresh()) as stand,
    ):
        stand.fault(type="power_on", outcome="no_effect", times=FOR_LONG)
        stand.fire("High Memory Usage")
        stand.worker(lease_s=60)
        off(stand)
        with server.frozen():
            stand.wait_for(lambda: PAGE in stand.incidents(), "the page", report=False)
            assert stand.droplet()[0] == "off"
            stand.clear_faults()
            stand.wait_for(lambda: stand.droplet() == LARGER, "the droplet", report=False)
        stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run to end")
        assert stand.runs() == {RUN: "succeeded"}, stand.report()
        stand.wait_for(lambda: PAGE not in stand.incidents(), "the page to be closed")


def test_a_run_that_failed_while_the_vendor_refused_has_its_droplet_switched_on_later(
    stand: Stand,
) -> None:
    stand.fault(type="power_on", status=503, times=FOR_LONG)
    stand.fire("High Memory Usage")
    first = stand.worker()
    off(stand)
    stand.wait_for(lambda: stand.runs() == {RUN: "failed"}, "the run to fail")
    stand.wait_for(lambda: PAGE in stand.incidents(), "the page")
    assert stand.droplet()[0] == "off"
    first.send(signal.SIGKILL)

    stand.clear_faults()
    stand.worker()

    stand.wait_for(lambda: stand.droplet() == LARGER, "the droplet to be on")
    stand.wait_for(lambda: PAGE not in stand.incidents(), "the page to be closed")
    assert stand.page_count() == 1, stand.report()


def test_a_worker_that_is_killed_while_the_resize_hangs_is_followed_by_a_page_and_the_end(
    stand: Stand,
) -> None:
    stand.fault(type="resize", outcome="hangs")
    stand.fire("High Memory Usage")
    first = stand.worker()
    stand.wait_for(lambda: stand.state()["droplets"]["101"]["action"] == "resize", "the resize")
    first.send(signal.SIGKILL)
    stand.worker()

    stand.wait_for(lambda: PAGE in stand.incidents(), "the page")
    stand.droplet_control(end="completed")

    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run to end")
    assert stand.droplet() == LARGER, stand.report()
    assert stand.runs() == {RUN: "succeeded"}, stand.report()
    assert stand.writes()["resize"] == 1, stand.report()
    stand.wait_for(lambda: PAGE not in stand.incidents(), "the page to be closed")


def test_a_droplet_that_a_person_switches_off_after_the_run_stays_off(stand: Stand) -> None:
    stand.fire("High Memory Usage")
    first = stand.worker("after:shutdown")
    first.join(60)
    stand.worker()
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run to be taken up and end")
    stand.droplet_control(act="power_off")
    off(stand)
    stand.look_again(RUN)
    stand.wait_for(
        lambda: "SUCCESS" in [s for n, s in stand.workflows().items() if "~look.test" in n],
        "a fresh look",
    )
    assert stand.droplet()[0] == "off", stand.report()
    assert stand.incidents() == [], stand.report()
