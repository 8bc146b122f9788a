"""A cluster of one's own on fakes: plans, holds, what a person approves, and the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.catalogue.registry import kind_spec
from service.catalogue.steps.timings import Timings
from service.catalogue.valkey_cluster import slots
from service.catalogue.valkey_cluster.target import ClusterTarget, memory_bytes, memory_text
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Wanted
from service.domain.errors import FailureKind, FencedOut, StepFailed, TargetChanged, VendorError
from service.ports.valkey_cluster import SLOTS
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.nodes import FakeNodes, nearly_even, three_and_a_new_one
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on

CLUSTER = ClusterTarget("cache-cluster")
A, B, C, COPY, NEW = (f"10.0.0.{number}:6379" for number in range(1, 6))
GB = 1024**3
Setup = Callable[[FakeNodes], None]


def lab(
    setup: Setup = lambda nodes: None,
    make: Callable[[FakeClock], FakeNodes] = three_and_a_new_one,
) -> tuple[FakeNodes, Works]:
    clock = FakeClock()
    nodes = make(clock)
    setup(nodes)
    return nodes, works_on(clock, nodes=nodes, timings=Timings(health_deadline_s=20.0))


def plan_of(options: dict[str, Any], setup: Setup = lambda nodes: None) -> Plan | PlanHeld:
    _, works = lab(setup)
    return works.plan(request_for("scale_cache", CLUSTER, options=options))


def held(options: dict[str, Any], setup: Setup = lambda nodes: None) -> PlanHeld:
    found = plan_of(options, setup)
    assert isinstance(found, PlanHeld), found
    return found


def made(options: dict[str, Any], setup: Setup = lambda nodes: None) -> Plan:
    found = plan_of(options, setup)
    assert isinstance(found, Plan), found
    return found


def prepared(
    options: dict[str, Any],
    setup: Setup = lambda nodes: None,
    make: Callable[[FakeClock], FakeNodes] = three_and_a_new_one,
) -> tuple[FakeNodes, FakeRun]:
    nodes, works = lab(setup, make)
    return nodes, planned(works, request_for("scale_cache", CLUSTER, options=options), nodes.clock)


def a_person_asks(nodes: FakeNodes, works: Works, *wanted: Wanted) -> Plan | PlanHeld:
    request = request_for(
        "scale_cache", CLUSTER, wanted=wanted, origin=Origin(PERSON, "olga", "why")
    )
    return works.plan(request)


def all_keys(nodes: FakeNodes) -> list[bytes]:
    primaries = [each for each in nodes.nodes.values() if not each.primary]
    return sorted(key for each in primaries for keys in each.keys.values() for key in keys)


# ---- Plans ----


def test_a_plan_sets_every_node_primaries_and_replicas_and_leaves_the_new_one() -> None:
    plan = made({"eviction_policy": "volatile_lru", "maxmemory": "3gb", "exact": True})
    assert (plan.what, plan.before, plan.after) == (
        "maxmemory and eviction_policy",
        "none × noeviction",
        "3gb × volatile_lru",
    )
    assert plan.steps == ("set_eviction_policy", "set_maxmemory", "verify")
    assert set(plan.wanted["set"]["maxmemory"]) == {A, B, C, COPY}
    assert "has no file of settings, so a restart there undoes this" in plan.downtime
    assert (plan.price_before, plan.asks) == (0.0, "")


def test_a_plan_for_another_shard_joins_the_new_node_and_moves_a_quarter_of_all_slots() -> None:
    plan = made({"shards": 4})
    assert (plan.what, plan.before, plan.after) == ("shards", "3", "4 (4,096 slots move)")
    moving = tuple(f"move_slots_{number}" for number in range(1, 5))
    assert plan.steps == ("join", *moving, "verify")
    assert plan.wanted["new"] == [NEW]
    assert "The shards stay" in plan.downtime


def test_a_new_node_gets_the_settings_that_all_others_have() -> None:
    def set_all(nodes: FakeNodes) -> None:
        for each in (A, B, C, COPY):
            nodes.nodes[each].policy, nodes.nodes[each].maxmemory = "volatile-ttl", 2 * GB

    plan = made({"shards": 4}, set_all)
    assert plan.wanted["set"]["eviction_policy"] == {NEW: ["noeviction", "volatile_ttl"]}
    assert plan.wanted["set"]["maxmemory"] == {NEW: ["none", "2gb"]}


def test_an_alert_takes_no_memory_away_and_a_node_without_a_limit_has_the_most() -> None:
    assert held({"maxmemory": "3gb"}).guard == "already_there"
    assert held({"shards": 2}).guard == "already_there"


def hold(name: str, value: Any, *addresses: str) -> Setup:
    def change(nodes: FakeNodes) -> None:
        for each in addresses:
            setattr(nodes.nodes[each], name, value)

    return change


AWAY = vendor_error(FailureKind.TEMPORARY, "Valkey could not be reached to read node 10.0.0.2.")
HOLDS: tuple[tuple[dict[str, Any], Setup, str, str], ...] = (
    ({"shards": 2, "exact": True}, hold("file", True), "no_removal", "has 3 shards, and 2 are"),
    ({"shards": 5}, hold("file", True), "nodes", "Start 1 more with cluster-enabled yes"),
    ({"shards": 4}, hold("keys", {1: [b"x"]}, NEW), "not_empty", f"{NEW} is to join"),
    ({"shards": 4}, hold("clustered", False, NEW), "no_cluster", f"{NEW} is no node of a cluster"),
    ({"shards": 4}, hold("away", AWAY, B), "node_away", "could not be reached to read node 10.0"),
    ({"shards": 4}, hold("state", "fail", B), "cluster_state", f"{B} says cluster_state fail"),
    (
        {"eviction_policy": "volatile_lru"},
        hold("state", "fail", COPY),
        "cluster_state",
        f"{COPY} says cluster_state fail",
    ),
    (
        {"maxmemory": "1gb", "exact": True},
        hold("used", 2 * GB, C),
        "data_too_large",
        f"Node {C} of cache-cluster uses 2.00 GB, more than 1gb",
    ),
    (
        {"maxmemory": "7gb", "exact": True},
        hold("file", True),
        "memory",
        "8.00 GB, and 7gb is more than 75% of it",
    ),
)


@pytest.mark.parametrize(("options", "setup", "guard", "said"), HOLDS)
def test_what_holds_a_change_of_the_cluster_says_which_node_and_why(
    options: dict[str, Any], setup: Setup, guard: str, said: str
) -> None:
    found = held(options, setup)
    assert found.guard == guard
    assert said in found.reason
    assert "Nothing was changed" in found.reason


def test_a_node_of_the_cluster_that_the_setting_does_not_name_holds_every_change() -> None:
    def forget(nodes: FakeNodes) -> None:
        nodes.named = (A, B, C)

    found = held({"eviction_policy": "volatile_lru"}, forget)
    assert found.guard == "nodes_missing"
    assert f"does not name {COPY}" in found.reason


def test_nodes_that_disagree_on_a_slot_hold_every_change() -> None:
    def disagree(nodes: FakeNodes) -> None:
        nodes.nodes[B].owners[7] = nodes.nodes[B].id

    assert held({"shards": 4}, disagree).guard == "cluster_state"


@pytest.mark.parametrize("address", [A, COPY, NEW])
def test_runbookds_own_redis_is_refused_whichever_node_it_is(address: str) -> None:
    def own(nodes: FakeNodes) -> None:
        nodes.own_ids = frozenset({f"run-{nodes.nodes[address].id}"})

    found = held({"eviction_policy": "volatile_lru"}, own)
    assert found.guard == "own_store"
    assert address in found.reason


def test_keys_without_a_time_to_live_ask_for_approval_of_an_allkeys_policy() -> None:
    plan = made({"eviction_policy": "allkeys_lru"}, hold("expiring", 100, A))
    assert plan.asks.startswith("260 of 360 keys have no time to live, and allkeys_lru may evict")
    assert made({"eviction_policy": "volatile_lru"}).asks == ""


def test_a_person_who_names_what_only_a_managed_cluster_has_is_held_with_what_there_is() -> None:
    nodes, works = lab()
    found = a_person_asks(nodes, works, Wanted("standbys", to=1))
    assert isinstance(found, PlanHeld)
    assert "it has maxmemory, shards and eviction_policy" in found.reason


def test_values_that_differ_between_nodes_are_put_back_each_to_its_own() -> None:
    nodes, works = lab(hold("policy", "volatile-ttl", B))
    before = works.by_kind["valkey_cluster"].observe(CLUSTER)
    was = kind_spec("valkey_cluster").values(before)["eviction_policy"]
    request = request_for("scale_cache", CLUSTER, options={"eviction_policy": "volatile_lru"})
    planned(works, request, nodes.clock).execute()
    assert {nodes.nodes[each].policy for each in (A, B, C, COPY)} == {"volatile-lru"}
    back = a_person_asks(nodes, works, Wanted("eviction_policy", to=was))
    assert isinstance(back, Plan)
    FakeRun(works, request, nodes.clock, back).execute()
    found = {each: nodes.nodes[each].policy for each in (A, B, C, COPY)}
    assert found == {A: "noeviction", B: "volatile-ttl", C: "noeviction", COPY: "noeviction"}


@pytest.mark.parametrize("text", ["none", "3gb", "512mb", "1kb", "1000b"])
def test_a_memory_reads_back_as_it_was_written(text: str) -> None:
    count = memory_bytes(text)
    assert count is not None
    assert memory_text(count) == text


# ---- Which slots move ----


@pytest.mark.parametrize("shards", [2, 3, 4, 5, 7, 64])
def test_slots_end_up_even_and_no_more_move_than_have_to(shards: int) -> None:
    owned: dict[str, set[int]] = {f"n{number}": set() for number in range(shards)}
    owned["n0"] = set(range(SLOTS))
    moved = slots.moves({node: sorted(each) for node, each in owned.items()}, {})
    for move in moved:
        moving = set(slots.slots_of(move["slots"]))
        assert moving <= owned[move["from"]]
        owned[move["from"]] -= moving
        owned[move["to"]] |= moving
    counts = [len(each) for each in owned.values()]
    assert max(counts) - min(counts) <= 1
    assert sum(len(slots.slots_of(each["slots"])) for each in moved) == SLOTS - max(counts)
    parts = [
        piece
        for step in range(1, slots.steps_for(moved) + 1)
        for piece in slots.pieces(moved, step)
    ]
    assert sorted(slot for each in parts for slot in each.slots) == sorted(
        slot for each in moved for slot in slots.slots_of(each["slots"])
    )
    assert max(len(each.slots) for each in parts) <= slots.A_PIECE


def test_a_slot_that_is_on_its_way_already_goes_where_it_was_going() -> None:
    owned = {"a": list(range(8192)), "b": list(range(8192, SLOTS)), "c": []}
    moved = slots.moves(owned, {5: ("a", "c"), 9000: ("b", "a")})
    assert {"from": "a", "to": "c", "slots": [[5, 5]]}.items() <= {
        **moved[0],
        "slots": moved[0]["slots"][:1],
    }.items()
    assert {"from": "b", "to": "a", "slots": [[9000, 9000]]} in moved
    counts = {node: len(each) for node, each in owned.items()}
    for move in moved:
        counts[move["from"]] -= len(slots.slots_of(move["slots"]))
        counts[move["to"]] += len(slots.slots_of(move["slots"]))
    assert max(counts.values()) - min(counts.values()) <= 1


# ---- Steps ----


def test_a_run_sets_all_nodes_joins_the_new_one_and_moves_slots_with_their_keys() -> None:
    options = {"eviction_policy": "volatile_lru", "shards": 4}
    nodes, run = prepared(options, hold("file", True, A))
    keys = all_keys(nodes)
    records = run.execute()
    assert {each.policy for each in nodes.nodes.values()} == {"volatile-lru"}
    assert nodes.nodes[A].kept == (0, "volatile-lru")
    assert [len(nodes.owned(each)) for each in (A, B, C, NEW)] == [4096] * 4
    assert all_keys(nodes) == keys
    assert nodes.count(nodes.nodes[NEW]) == 360
    assert sum(records[f"move_slots_{number}"]["keys"] for number in range(1, 5)) == 360
    assert run.context.fences >= nodes.writes.sent


def test_a_node_that_refuses_fails_the_run_and_is_named_with_what_each_node_has() -> None:
    nodes, run = prepared({"eviction_policy": "volatile_lru"})
    nodes.refused[B] = vendor_error(FailureKind.PERMANENT, "node 10.0.0.2 refused: NOPERM.")
    with pytest.raises(VendorError, match="NOPERM"):
        run.execute()
    assert list(run.intents) == ["eviction 1111111111111111"]
    said = run.works.make_safe(run.context, run.request, run.plan)
    assert f"{A}: none, volatile_lru; {B}: none, noeviction" in said


def test_a_node_that_a_person_has_changed_since_the_plan_is_left() -> None:
    nodes, run = prepared({"eviction_policy": "volatile_lru"})
    nodes.nodes[A].policy = "volatile-ttl"
    with pytest.raises(TargetChanged, match="Somebody has changed node"):
        run.execute()
    assert nodes.writes.sent == 0


def test_an_address_that_leads_to_another_node_since_the_plan_gets_no_write() -> None:
    nodes, run = prepared({"eviction_policy": "volatile_lru"})
    nodes.nodes[A].id = "f" * 40
    with pytest.raises(TargetChanged, match="leads to another node"):
        run.execute()
    assert nodes.writes.sent == 0


def test_a_node_that_becomes_runbookds_own_after_the_plan_gets_no_write() -> None:
    nodes, run = prepared({"eviction_policy": "volatile_lru"})
    nodes.own_ids = frozenset({f"run-{nodes.nodes[A].id}"})
    with pytest.raises(StepFailed, match="the Redis that runbookd itself works with"):
        run.execute()
    assert nodes.writes.sent == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(8))
def test_a_write_whose_answer_is_lost_is_looked_at_and_every_key_arrives(
    number: int, when: str
) -> None:
    nodes, run = prepared({"shards": 4}, make=nearly_even)
    keys = all_keys(nodes)
    getattr(nodes.writes, when)[number] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert all_keys(nodes) == keys
    assert [len(nodes.owned(each)) for each in (A, B, C, NEW)] == [4096] * 4
    assert not any(each.leaving or each.coming for each in nodes.nodes.values())


@pytest.mark.parametrize("fences", range(1, 12))
def test_an_execution_that_dies_at_any_fence_is_taken_up_where_the_cluster_is(fences: int) -> None:
    nodes, run = prepared({"shards": 4}, make=nearly_even)
    keys = all_keys(nodes)
    step = "move_slots_1"
    run.context = run.fresh()
    seen = 0

    def die() -> None:
        nonlocal seen
        seen += 1
        run.context.fenced_out = seen == fences

    run.context.on_fence = die
    with pytest.raises(FencedOut):
        run.step(step)
    run.new_process()
    run.execute()
    assert all_keys(nodes) == keys
    assert [len(nodes.owned(each)) for each in (A, B, C, NEW)] == [4096] * 4


def test_a_slot_that_somebody_else_moves_meanwhile_stops_the_run() -> None:
    nodes, run = prepared({"shards": 4}, make=nearly_even)
    slot = run.plan.wanted["moves"][0]["slots"][0][0]
    nodes.give(A, [slot])
    with pytest.raises(StepFailed, match=f"Slot {slot} was to move .* somebody else has moved it"):
        run.execute()
    assert len(nodes.owned(C)) == 4195


def test_a_new_plan_after_a_failure_goes_on_with_the_slots_that_are_on_their_way() -> None:
    nodes, run = prepared({"shards": 4}, make=nearly_even)
    nodes.writes.before = {
        number: vendor_error(FailureKind.PERMANENT, "it refuses.") for number in range(6, 14)
    }
    with pytest.raises(StepFailed, match="are on their way from"):
        run.execute()
    assert nodes.nodes[C].leaving
    nodes.writes.before = {}
    again = planned(run.works, run.request, nodes.clock)
    again.execute()
    assert [len(nodes.owned(each)) for each in (A, B, C, NEW)] == [4096] * 4


def test_a_slot_that_somebody_has_left_on_its_way_arrives_where_it_was_going() -> None:
    def open_slot(nodes: FakeNodes) -> None:
        nodes.nodes[A].leaving[0] = nodes.nodes[NEW].id
        nodes.nodes[NEW].coming[0] = nodes.nodes[A].id

    nodes, run = prepared({"shards": 4}, open_slot, nearly_even)
    run.execute()
    assert nodes.nodes[NEW].owners[0] == nodes.nodes[NEW].id
    assert not any(each.leaving or each.coming for each in nodes.nodes.values())
    counts = [len(nodes.owned(each)) for each in (A, B, C, NEW)]
    assert sum(counts) == SLOTS
    assert max(counts) - min(counts) <= 1


def test_a_mark_of_a_slot_that_another_node_owns_by_now_is_on_no_way() -> None:
    def stale(nodes: FakeNodes) -> None:
        nodes.nodes[A].leaving[16_000] = nodes.nodes[B].id

    nodes, works = lab(stale)
    assert works.by_kind["valkey_cluster"].observe(CLUSTER)["open"] == {}
    nodes.nodes[A].leaving[0] = nodes.nodes[B].id
    found = works.by_kind["valkey_cluster"].observe(CLUSTER)["open"]
    assert found == {"0": [nodes.nodes[A].id, nodes.nodes[B].id]}


def test_a_verification_names_the_node_that_is_not_as_wanted() -> None:
    nodes, run = prepared({"eviction_policy": "volatile_lru"})
    run.step("set_eviction_policy")
    nodes.nodes[COPY].policy = "noeviction"
    with pytest.raises(StepFailed, match=f"{COPY} has eviction_policy noeviction"):
        run.step("verify")


def test_a_new_node_that_never_comes_fails_the_run_before_a_slot_moves() -> None:
    nodes, run = prepared({"shards": 4})
    nodes.handshake_s = 1e9
    with pytest.raises(StepFailed, match="was to join the cluster"):
        run.execute()
    assert [len(nodes.owned(each)) for each in (A, B, C)] == [5461, 5462, 5461]
