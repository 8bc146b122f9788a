"""A droplet that is off is paged and brought on, whatever becomes of worker, database, vendor."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from service.store.offs import OffStore
from tests.crash.stand import Stand, a_stand
from tests.databases import PostgresDatabases, SqliteFiles
from tests.postgres import postgres_server
from tests.redis_servers import EMBEDDED, RedisServer, executable
from tests.reliability import VendorSaw, scenario

pytestmark = pytest.mark.crash

RUN = "worker-vm.up.1"
LARGER = ("active", "s-1vcpu-2gb")
PAGE = f"runbookd/run/{RUN}"
FOR_LONG = 10_000


def off(stand: Stand) -> None:
    stand.wait_for(lambda: stand.droplet()[0] == "off", "the droplet to be off")


@scenario(
    "A droplet that is off",
    "PostgreSQL is frozen (SIGSTOP), and each request to switch the droplet on is answered 201 "
    "without effect until the vendor is well again.",
    "Paged a minute after it went off. On at its new size while the database is still frozen. "
    "Afterwards the run ends as succeeded, and the page is closed.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on again and again",
)
def test_a_frozen_database_delays_neither_the_page_nor_the_droplet(
    tmp_path_factory: pytest.TempPathFactory, vendor_saw: VendorSaw
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
            asked_twice = lambda: stand.write_list().count("power_on") >= 2  # noqa: E731 - a busy machine may have asked once so far
            stand.wait_for(asked_twice, "a second power-on", report=False)
            stand.clear_faults()
            stand.wait_for(lambda: stand.droplet() == LARGER, "the droplet", report=False)
        stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run to end")
        assert stand.runs() == {RUN: "succeeded"}, stand.report()
        stand.wait_for(lambda: PAGE not in stand.incidents(), "the page to be closed")
        vendor_saw(stand.write_list())


@scenario(
    "A droplet that is off",
    "The vendor answers 503 to each request to switch it on, until after the run has failed; its "
    "worker is killed too.",
    "Paged a minute after it went off. Another worker tries again until it is on at its new size, "
    "and closes the page. There was one incident.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on",
)
def test_a_run_that_failed_while_the_vendor_refused_has_its_droplet_switched_on_later(
    stand: Stand, vendor_saw: VendorSaw
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
    vendor_saw(stand.write_list())


@scenario(
    "A droplet that is off",
    "The resize stays in-progress, and the worker is killed while it does.",
    "Another worker pages a minute after the droplet went off, and follows the resize. Once the "
    "vendor ends it, the droplet is switched on. The run ends as succeeded; the page is closed.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on",
)
def test_a_worker_that_is_killed_while_the_resize_hangs_is_followed_by_a_page_and_the_end(
    stand: Stand, vendor_saw: VendorSaw
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
    vendor_saw(stand.write_list())


@scenario(
    "People who change things meanwhile",
    "A person switches the droplet off after the run has ended.",
    "It stays off, also when the target is looked at again. Nobody is paged.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on",
)
def test_a_droplet_that_a_person_switches_off_after_the_run_stays_off(
    stand: Stand, vendor_saw: VendorSaw
) -> None:
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
    vendor_saw(stand.write_list())


@scenario(
    "A droplet that is off",
    "The size is not sold in the region of the droplet.",
    "The run is held while the droplet is on, and a person is paged.",
)
def test_a_size_that_the_region_does_not_sell_is_held_before_the_droplet_goes_off(
    stand: Stand, vendor_saw: VendorSaw
) -> None:
    stand.droplet_control(region_sizes=["s-1vcpu-1gb"])
    stand.fire("High Memory Usage")
    stand.worker()
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run to end")
    assert stand.runs() == {RUN: "held"}, stand.report()
    assert stand.droplet() == ("active", "s-1vcpu-1gb")
    assert stand.page_count() == 1, stand.report()
    vendor_saw(stand.write_list())


@scenario(
    "A droplet that is off",
    "The vendor refuses the resize for good, because the size does not fit on the host.",
    "On again at its old size at once. The run fails, and a person is paged. The size is not tried "
    "again at the next repeats.",
    "snapshot",
    "shutdown",
    "power_on",
)
def test_a_size_that_does_not_fit_costs_one_restart(stand: Stand, vendor_saw: VendorSaw) -> None:
    stand.droplet_control(too_large=["s-1vcpu-2gb"])
    stand.fire("High Memory Usage")
    stand.worker()
    stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run to end")
    assert stand.runs() == {RUN: "failed"}, stand.report()
    assert stand.droplet() == ("active", "s-1vcpu-1gb")
    assert stand.page_count() == 1, stand.report()
    refusals = OffStore(stand.stores.engine).refusals("do-droplet:101")
    assert [refusal.size for refusal in refusals] == ["s-1vcpu-2gb"]
    vendor_saw(stand.write_list())


@scenario(
    "Clocks, workers and mistakes of our own",
    "A worker dies while its lease ends an hour ahead, because a clock has stepped back since.",
    "Another worker takes the lease for over and finishes the run.",
    "snapshot",
    "shutdown",
    "resize",
    "power_on",
)
def test_a_dead_worker_whose_lease_lies_far_ahead_is_followed_by_another(
    stand: Stand, vendor_saw: VendorSaw
) -> None:
    stand.fire("High Memory Usage")
    first = stand.worker("after:shutdown")
    first.join(60)
    stand.put_lease_ahead(first, 3_600.0)
    stand.worker()
    stand.wait_for(lambda: stand.runs() == {RUN: "succeeded"}, "the run to be taken up")
    assert stand.droplet() == LARGER
    vendor_saw(stand.write_list())


@scenario(
    "Clocks, workers and mistakes of our own",
    "Two installations with the same rules share one Redis, and both are asked to change the same "
    "droplet.",
    "One changes it. The run of the other is held by the lock, although both have the same id.",
    "snapshot",
)
def test_of_two_installations_on_one_redis_one_changes_the_droplet(
    tmp_path: Path, vendor_saw: VendorSaw
) -> None:
    redis = RedisServer(executable(EMBEDDED), tmp_path / "redis")
    redis.start()
    databases = SqliteFiles(tmp_path)
    homes = [tmp_path / name for name in ("one", "other")]
    for home in homes:
        home.mkdir()
    with (
        a_stand(homes[0], databases.fresh(), REDIS_URL=redis.url) as one,
        a_stand(homes[1], databases.fresh(), REDIS_URL=redis.url) as other,
    ):
        one.fire("High Memory Usage")
        one.worker("pause:shutdown")
        one.wait_for(lambda: one.reached("pause:shutdown"), "the change to be under way")
        other.fire("High Memory Usage")
        other.worker()
        other.wait_for(lambda: RUN in other.runs(), "the other run")
        other.wait_for(lambda: other.runs()[RUN] == "held", "the other run to be held")
        vendor_saw([*one.write_list(), *other.write_list()])
    redis.stop()


@scenario(
    "A droplet that is off",
    "A resize is about to take the droplet down.",
    "Before anything is changed, the announcement says that it is switched off, and for how long.",
)
def test_that_the_droplet_goes_off_is_told_before_anything_is_changed(
    stand: Stand, vendor_saw: VendorSaw
) -> None:
    stand.fire("High Memory Usage")
    stand.worker("pause:snapshot")
    stand.wait_for(lambda: stand.reached("pause:snapshot"), "the first write to be due")
    (said,) = stand.announcements()
    assert "is switched off for it, usually for 1 to 3 minutes" in said
    vendor_saw(stand.write_list())
