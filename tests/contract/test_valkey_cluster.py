"""A cluster of real servers as a worker changes it, and what its fake shares with it.

Three nodes and a replica of the first are one cluster; the fifth is new and empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.catalogue.registry import kind_spec
from service.catalogue.steps.timings import Timings
from service.catalogue.valkey_cluster.target import ClusterTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.errors import FailureKind, FencedOut, StepFailed, VendorError
from service.ports.valkey_cluster import ClusterNodes
from service.providers.valkey_cluster import ValkeyCluster, view_of
from tests.contract.test_zone_on_sandbox import WallClock
from tests.fakes.clock import FakeClock
from tests.fakes.nodes import FakeNodes, three_and_a_new_one
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on
from tests.processes import ROOT
from tests.redis_clusters import (
    KEYS,
    NEARLY,
    THIRDS,
    Clients,
    RealCluster,
    assert_nothing_is_lost,
    fill,
    nodes,
)
from tests.redis_servers import ONE_IN_CI, executable

CLUSTER = ClusterTarget("cache-cluster")
QUICK = Timings(poll_min_s=0.05, poll_max_s=0.2, settle_unknown_s=1.0, retry_budget_s=10.0)


@pytest.fixture(scope="module", params=ONE_IN_CI)
def program(request: pytest.FixtureRequest) -> str:
    return executable(request.param)


@pytest.fixture
def cluster(program: str, tmp_path: Path) -> Iterator[RealCluster]:
    """Three primaries, a replica of the first, and a node that is alone. The first has a file."""
    with nodes(program, tmp_path, 5, with_files=(0,)) as made:
        made.join({number: [THIRDS[number]] for number in range(3)}, {3: 0})
        yield made


@pytest.fixture
def four(program: str, tmp_path: Path) -> Iterator[RealCluster]:
    """Four primaries; the fourth lacks a hundred slots of its share."""
    with nodes(program, tmp_path, 4) as made:
        made.join(NEARLY, {})
        yield made


def works(made: RealCluster, own_url: str = "", urls: str = "") -> Works:
    port = ValkeyCluster(urls=urls or made.urls, own_url=own_url)
    return works_on(WallClock(), nodes=port, timings=QUICK)


def plan_of(made: RealCluster, own_url: str = "", **options: Any) -> Plan | PlanHeld:
    return works(made, own_url).plan(request_for("scale_cache", CLUSTER, options=options))


def run_of(made: RealCluster, urls: str = "", **options: Any) -> FakeRun:
    request = request_for("scale_cache", CLUSTER, options=options)
    return planned(works(made, urls=urls), request, WallClock())


# ---- What the fake shares with it ----


@pytest.fixture(params=["the fake", "real servers"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClusterNodes]:
    if request.param == "the fake":
        yield three_and_a_new_one(FakeClock())
        return
    with nodes(executable(), tmp_path, 5, with_files=(0,)) as made:
        made.join({number: [THIRDS[number]] for number in range(3)}, {3: 0})
        fill(made.nodes[0], {f"quiz:{number}": "x" for number in range(500)})
        yield ValkeyCluster(urls=made.urls)


def test_a_slot_moves_by_the_same_calls_with_the_same_refusals(port: ClusterNodes) -> None:
    first, second, _third, _replica, new = port.addresses()
    states = {each: port.node(each) for each in port.addresses()}
    views = {each: state.view for each, state in states.items()}
    assert all(state.state == "ok" for each, state in states.items() if each != new)
    a, b = views[first], views[second]
    assert a is not None
    assert b is not None
    assert {len(view.members) for each, view in views.items() if view and each != new} == {4}
    alone = views[new]
    assert alone is not None
    assert len(alone.members) == 1
    assert [each.primary for each in a.members if each.primary] == [a.me]

    slot = next(slot for slot in range(5460, 0, -1) if port.keys_in(first, [slot], 10)[0])
    (keys,) = port.keys_in(first, [slot], 10)
    with pytest.raises(VendorError, match="not the owner of hash slot") as refused:
        port.migrating(second, [slot], a.me)
    assert refused.value.kind is FailureKind.PERMANENT
    with pytest.raises(VendorError, match="already the owner of hash slot"):
        port.importing(first, [slot], b.me)
    with pytest.raises(VendorError, match="still hold keys"):
        port.assign(first, [slot], b.me)

    port.importing(second, [slot], a.me)
    port.migrating(first, [slot], b.me)
    assert port.view(second).coming == {slot: a.me}
    assert port.view(first).leaving == {slot: b.me}
    member = next(each for each in a.members if each.id == b.me)
    port.move_keys(first, second, member, keys)
    assert list(port.keys_in(first, [slot], 10)[0]) == []
    assert sorted(port.keys_in(second, [slot], 10)[0]) == sorted(keys)
    port.assign(second, [slot], b.me)
    port.assign(first, [slot], b.me)
    for each in (first, second):
        view = port.view(each)
        owner = next(
            one.id for one in view.members for low, high in one.ranges if low <= slot <= high
        )
        assert owner == b.me
        assert (view.leaving, view.coming) == ({}, {})


def test_a_setting_is_read_back_and_only_a_server_with_a_file_keeps_it(port: ClusterNodes) -> None:
    first, second = port.addresses()[:2]
    if isinstance(port, FakeNodes):
        port.nodes[first].file = True
    assert [port.node(each).has_file for each in (first, second)] == [True, False]
    port.set(first, "maxmemory", str(64 * 1024**2))
    port.set(first, "maxmemory-policy", "volatile-lru")
    found = port.node(first)
    assert (found.maxmemory, found.policy) == (64 * 1024**2, "volatile-lru")
    assert port.node(second).policy == "noeviction"
    port.keep(first)
    with pytest.raises(VendorError, match="without a config file") as refused:
        port.keep(second)
    assert refused.value.kind is FailureKind.PERMANENT


def test_a_key_that_was_sent_before_a_lost_answer_is_replaced_by_the_owners_newer_one(
    four: RealCluster,
) -> None:
    fill(four.nodes[0], {"quiz:1": "old"})
    port = ValkeyCluster(urls=four.urls)
    views = {each: port.view(each) for each in port.addresses()}
    slot = int(four.nodes[0].say("CLUSTER KEYSLOT", "quiz:1"))
    first = next(each for each in views if port.keys_in(each, [slot], 1)[0])
    second = next(each for each in views if each != first)
    source, target = (four.nodes[[*views].index(each)] for each in (first, second))
    port.importing(second, [slot], views[first].me)
    port.migrating(first, [slot], views[second].me)
    source.say("MIGRATE", "127.0.0.1", target.port, "", 0, 4000, "COPY", "KEYS", "quiz:1")
    source.say("SET", "quiz:1", "new")
    member = next(each for each in views[first].members if each.id == views[second].me)
    port.move_keys(first, second, member, [b"quiz:1"])
    port.assign(second, [slot], views[second].me)
    port.assign(first, [slot], views[second].me)
    assert target.say("GET", "quiz:1") == "new"


# ---- Memory and policy ----


def test_memory_and_policy_reach_primaries_and_replicas_and_the_file_keeps_them(
    cluster: RealCluster,
) -> None:
    run = run_of(cluster, maxmemory="64mb", exact=True, eviction_policy="volatile_lru")
    assert run.plan.downtime.count("has no file of settings") == 1
    run.execute()
    for node in cluster.nodes[:4]:
        assert node.setting("maxmemory-policy") == "volatile-lru"
        assert node.setting("maxmemory") == str(64 * 1024**2)
    assert cluster.nodes[4].setting("maxmemory-policy") == "noeviction"
    file = cluster.nodes[0].file
    assert file is not None
    assert "maxmemory-policy volatile-lru" in file.read_text(encoding="utf-8")
    said = kind_spec("valkey_cluster").look(ValkeyCluster(urls=cluster.urls), CLUSTER)
    assert "every node says that the cluster is ok: nodes 4, shards 3;" in said
    assert said.endswith("new nodes that wait to join: 1")


def test_sessions_without_a_time_to_live_are_counted_once_and_not_at_replicas_too(
    cluster: RealCluster,
) -> None:
    fill(cluster.nodes[0], {f"session:{number}": "me" for number in range(500)})
    plan = plan_of(cluster, eviction_policy="allkeys_lru")
    assert isinstance(plan, Plan)
    assert plan.asks.startswith("500 of 500 keys have no time to live, and allkeys_lru may evict")


@pytest.mark.parametrize("number", [0, 3])
def test_runbookds_own_redis_is_refused_at_whichever_node_and_under_another_name(
    cluster: RealCluster, number: int
) -> None:
    own = f"redis://localhost:{cluster.nodes[number].port}/0"
    held = plan_of(cluster, own, eviction_policy="volatile_lru")
    assert isinstance(held, PlanHeld)
    assert held.guard == "own_store"
    with pytest.raises(VendorError, match="is runbookd's own Redis"):
        kind_spec("valkey_cluster").look(ValkeyCluster(urls=cluster.urls, own_url=own), CLUSTER)


def test_a_node_that_is_away_is_named_and_nothing_is_set_at_the_others(
    cluster: RealCluster,
) -> None:
    run = run_of(cluster, eviction_policy="volatile_lru")
    away = cluster.nodes[2]
    away.process.kill()
    held = run.works.plan(run.request)
    assert isinstance(held, PlanHeld)
    assert held.guard == "node_away"
    assert away.address in held.reason
    with pytest.raises((VendorError, StepFailed), match="could not be reached"):
        run.execute()
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert f"{away.address}: not known, it did not answer" in said


def test_a_user_with_the_rights_of_the_page_can_do_all_of_it_and_one_without_is_told(
    four: RealCluster,
) -> None:
    page = (ROOT / "docs/kinds/valkey_cluster.md").read_text(encoding="utf-8")
    told = page.split("**Rights**")[1].split("- **Doctor**")[0]
    rights = [word for text in re.findall("`([^`]+)`", told) for word in text.split()]
    assert {"+migrate", "+restore-asking", "~*"} <= {*rights}
    for node in four.nodes:
        node.say("ACL SETUSER", "runbookd", "on", ">test-password-not-real", *rights)
        # Whoever comes without a password may not bring keys.
        node.say("ACL SETUSER", "default", "-restore-asking")
    fill(four.nodes[0], KEYS)
    urls = four.urls.replace("redis://", "redis://runbookd:test-password-not-real@")
    run = run_of(four, urls, shards=4, eviction_policy="volatile_lru")
    run.execute()
    assert four.owners(0) == dict.fromkeys(range(4), 4096)
    four.nodes[1].say("ACL SETUSER", "runbookd", "-config|set")
    again = run_of(four, urls, eviction_policy="volatile_ttl")
    with pytest.raises(VendorError, match="refused to set maxmemory-policy of node") as refused:
        again.execute()
    assert four.nodes[1].address in str(refused.value)
    assert "test-password-not-real" not in str(refused.value)


# ---- Shards ----


@pytest.mark.parametrize("calls", [3, 20])
def test_an_execution_that_dies_within_the_moves_is_taken_up_and_no_key_is_lost(
    four: RealCluster, calls: int
) -> None:
    fill(four.nodes[0], KEYS)
    run = run_of(four, shards=4)
    assert run.plan.steps == ("move_slots_1", "verify")
    with Clients(four) as clients:
        run.context = run.fresh()

        def die() -> None:
            run.context.fenced_out = run.context.fences == calls

        run.context.on_fence = die
        with pytest.raises(FencedOut):
            run.step("move_slots_1")
        run.execute()
    assert_nothing_is_lost(four, clients)
    for number in range(4):
        assert four.owners(number) == dict.fromkeys(range(4), 4096)


@pytest.mark.long
def test_a_new_node_joins_and_gets_a_quarter_of_all_slots_while_clients_read_and_write(
    cluster: RealCluster,
) -> None:
    fill(cluster.nodes[0], KEYS)
    run = run_of(cluster, shards=4, eviction_policy="volatile_lru")
    with Clients(cluster) as clients:
        run.execute()
    assert_nothing_is_lost(cluster, clients)
    assert cluster.owners(4) == {0: 4096, 1: 4096, 2: 4096, 3: 0, 4: 4096}
    assert cluster.nodes[4].setting("maxmemory-policy") == "volatile-lru"


# ---- Addresses and answers ----


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ("", "CACHE_CLUSTER_URLS is not set, so the cluster is off"),
        ("redis://:secret-not-real@host:6379 :secret-not-real@host", "Address 2 of CACHE_CLUSTER_"),
        ("redis://:secret-not-real@host:port", "Address 1 of CACHE_CLUSTER_URLS is no address"),
    ],
)
def test_a_setting_that_leads_nowhere_is_told_without_its_password(urls: str, said: str) -> None:
    with pytest.raises(VendorError, match=said) as refused:
        ValkeyCluster(urls=urls).addresses()
    assert refused.value.kind is FailureKind.PERMANENT
    assert "secret-not-real" not in str(refused.value)


def test_addresses_are_parted_by_spaces_commas_or_lines() -> None:
    urls = "redis://a:1,rediss://user:p%40ss@b\nredis://[::1]:7000/0"
    assert ValkeyCluster(urls=urls).addresses() == ["a:1", "b:6379", "[::1]:7000"]


def test_the_lines_of_every_version_are_read_with_open_slots_host_names_and_failures() -> None:
    view = view_of(
        "aa 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5460 7000 "
        "[5-<-bb] [93->-bb]\n"
        "bb 10.0.0.2:6379@16379,cache-2.example.com,shard-id=f0 slave,fail? aa 0 1 1 connected\n"
        "cc :0@0 master,noaddr - 0 1 1 disconnected\n"
    )
    mine, copy, gone = view.members
    assert (view.me, view.coming, view.leaving) == ("aa", {5: "bb"}, {93: "bb"})
    assert mine.ranges == ((0, 5460), (7000, 7000))
    assert (copy.at, copy.bus, copy.primary) == ("10.0.0.2:6379", 16379, "aa")
    assert "fail?" in copy.flags
    assert {"noaddr", "disconnected"} <= gone.flags
