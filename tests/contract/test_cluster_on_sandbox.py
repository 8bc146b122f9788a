"""A managed cluster as a worker changes it: the real provider on the sandbox, and real servers.

The sandbox stands in for the vendor's API. Behind its cluster stands a Valkey, or Redis 7, of the
test's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.catalogue.registry import kind_spec
from service.catalogue.steps.timings import Timings
from service.catalogue.valkey.target import ValkeyTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.providers.digitalocean import DigitalOceanClient
from service.providers.valkey import DigitalOceanValkey
from tests.contract.test_zone_on_sandbox import WallClock
from tests.fakes.clusters import CLUSTER, SIZES
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on
from tests.processes import wait_until
from tests.redis_servers import ONE_IN_CI, RedisServer, executable
from tests.unit.sandbox.support import TOKEN, Served, served

CACHE = ValkeyTarget("cache", CLUSTER, SIZES)
QUICK = Timings(poll_min_s=0.05, poll_max_s=0.2, settle_unknown_s=1.0, server_begins_s=0.3)


@dataclass(frozen=True)
class Lab:
    """The sandbox, and the server behind its cluster."""

    sandbox: Served
    server: RedisServer

    def control(self, name: str, **body: Any) -> None:
        url = f"{self.sandbox.url}/_sandbox/{name}"
        answer = httpx.post(url, json=body, trust_env=False)
        assert answer.is_success, answer.text

    def port(self, own_url: str = "") -> DigitalOceanValkey:
        client = DigitalOceanClient(token=TOKEN, endpoint=f"{self.sandbox.url}/digitalocean")
        return DigitalOceanValkey(client, own_url=own_url)

    def works(self, own_url: str = "") -> Works:
        return works_on(WallClock(), clusters=self.port(own_url), timings=QUICK)

    def plan(self, own_url: str = "", **options: Any) -> Plan | PlanHeld:
        return self.works(own_url).plan(request_for("scale_cache", CACHE, options=options))

    def run(self, own_url: str = "", **options: Any) -> FakeRun:
        request = request_for("scale_cache", CACHE, options=options)
        return planned(self.works(own_url), request, WallClock())

    def cluster(self) -> tuple[str, int, str]:
        found = self.sandbox.state()["valkey"][CLUSTER]
        return found["size"], found["nodes"], found["policy"]

    def puts(self) -> list[str]:
        return [each["path"] for each in self.sandbox.calls() if each["method"] == "PUT"]


@pytest.fixture(params=ONE_IN_CI)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    server = RedisServer(executable(request.param), tmp_path / "cluster")
    server.start()
    # Every server of the vendor asks for a password.
    server.client.config_set("requirepass", "test-password-not-real")
    server.client.auth("test-password-not-real")
    with served(action_seconds=0.2) as sandbox:
        made = Lab(sandbox, server)
        made.control("valkey", port=server.port, password="test-password-not-real")
        yield made
    server.stop()


def address_of(server: RedisServer, host: str) -> str:
    return f"redis://:test-password-not-real@{host}:{server.port}/0"


@pytest.mark.parametrize("drop", [None, "before", "after"])
def test_a_cluster_is_resized_once_also_where_the_answer_is_lost_and_sized_down_again(
    lab: Lab, drop: str | None
) -> None:
    run = lab.run(size=SIZES[1], standbys=1)
    if drop:
        lab.control("faults", vendor="digitalocean", method="PUT", drop=drop)
    run.execute()
    assert lab.cluster() == (SIZES[1], 2, "noeviction")
    assert len(lab.puts()) == (2 if drop == "before" else 1)
    lab.run(size=SIZES[0], standbys=0, exact=True).execute()
    assert lab.cluster() == (SIZES[0], 1, "noeviction")


def test_a_policy_is_set_once_and_the_server_works_by_it(lab: Lab) -> None:
    records = lab.run(eviction_policy="volatile_lru").execute()
    assert records["verify"]["proof"] == "the server says which policy it works by"
    assert lab.server.client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1"])
def test_runbookds_own_redis_is_refused_whatever_host_name_is_written(lab: Lab, host: str) -> None:
    held = lab.plan(address_of(lab.server, host))
    assert isinstance(held, PlanHeld)
    assert held.guard == "own_store"
    with pytest.raises(VendorError, match="the Redis that runbookd itself works with"):
        kind_spec("valkey").look(lab.port(address_of(lab.server, host)), CACHE)
    assert lab.puts() == []


def test_the_standby_of_runbookds_own_redis_is_refused_too(lab: Lab, tmp_path: Path) -> None:
    primary = RedisServer(executable(), tmp_path / "own")
    primary.start()
    try:
        lab.server.client.replicaof("127.0.0.1", str(primary.port))
        replication = lab.server.client.info
        assert wait_until(lambda: replication("replication")["master_link_status"] == "up", 30.0)
        held = lab.plan(primary.url)
        assert isinstance(held, PlanHeld)
        assert held.guard == "own_store"
    finally:
        primary.stop()


def test_another_redis_of_runbookds_own_refuses_nothing(lab: Lab, tmp_path: Path) -> None:
    own = RedisServer(executable(), tmp_path / "own")
    own.start()
    try:
        plan = lab.plan(own.url)
        assert isinstance(plan, Plan)
        assert plan.asks == ""
    finally:
        own.stop()


def test_a_cluster_that_takes_the_place_of_our_own_redis_after_the_plan_gets_no_write(
    lab: Lab, tmp_path: Path
) -> None:
    own = RedisServer(executable(), tmp_path / "own")
    own.start()
    try:
        run = lab.run(own.url)
        lab.control("valkey", port=own.port)
        own.client.config_set("requirepass", "test-password-not-real")
        own.client.auth("test-password-not-real")
        own_url = address_of(own, "localhost")
        run.works = lab.works(own_url)
        with pytest.raises(StepFailed, match="the Redis that runbookd itself works with"):
            run.execute()
        assert lab.puts() == []
    finally:
        own.stop()


def test_five_hundred_sessions_without_a_time_to_live_are_counted_by_the_server(lab: Lab) -> None:
    with lab.server.client.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"session:{number}", "x")
        for number in range(2000):
            pipe.set(f"cache:{number}", "x", ex=3600)
        pipe.execute()
    plan = lab.plan(eviction_policy="allkeys_lru")
    assert isinstance(plan, Plan)
    assert plan.asks.startswith("500 of 2,500 keys have no time to live, and allkeys_lru may")
    plan = lab.plan(eviction_policy="volatile_lru")
    assert isinstance(plan, Plan)
    assert plan.asks == ""
    said = kind_spec("valkey").look(lab.port(), CACHE)
    assert "2,500 keys, 500 of them without a time to live" in said


def test_a_cluster_that_is_moved_by_the_vendor_is_held(lab: Lab) -> None:
    lab.control("valkey", held="migrating")
    held = lab.plan()
    assert isinstance(held, PlanHeld)
    assert held.guard == "cluster_status"
    with pytest.raises(VendorError, match="cluster is undergoing maintenance") as refused:
        lab.port().resize(CLUSTER, SIZES[1], 1)
    assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 412)


def test_a_token_that_may_not_see_the_password_is_told_by_its_scope(lab: Lab) -> None:
    lab.control("tokens", digitalocean={TOKEN: ["database:read", "database:update"]})
    with pytest.raises(VendorError, match="database:view_credentials"):
        lab.port().server(CLUSTER)
    plan = lab.plan(eviction_policy="allkeys_lru")
    assert isinstance(plan, Plan)
    assert "is not known. DigitalOcean named no password" in plan.asks


def test_a_wrong_password_is_told_and_never_shown(lab: Lab) -> None:
    lab.control("valkey", password="wrong-password-not-real")
    with pytest.raises(VendorError) as refused:
        lab.port().server(CLUSTER)
    assert refused.value.kind is FailureKind.PERMANENT
    assert "wrong-password" not in str(refused.value)


def test_a_server_behind_which_nobody_listens_is_told_as_unreachable(lab: Lab) -> None:
    lab.control("valkey", port=0)
    with pytest.raises(VendorError, match="Valkey could not be reached") as away:
        lab.port().server(CLUSTER)
    assert away.value.kind is FailureKind.TEMPORARY
