"""A managed Valkey cluster on fakes: plans, holds, what a person approves, and the steps."""

from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.valkey.target import ValkeyTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Wanted
from service.domain.errors import FailureKind, FencedOut, StepFailed, TargetChanged, VendorError
from tests.fakes.clock import FakeClock
from tests.fakes.clusters import CLUSTER, SIZES, FakeClusters
from tests.fakes.faults import vendor_error
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on

CACHE = ValkeyTarget("cache", CLUSTER, SIZES)
OWN = frozenset({"replication-1"})
GB = 1024**3


def lab(**state: Any) -> tuple[FakeClusters, Works]:
    clock = FakeClock()
    clusters = FakeClusters(clock, **state)
    return clusters, works_on(clock, clusters=clusters)


def plan_of(options: dict[str, Any] | None = None, **state: Any) -> Plan | PlanHeld:
    _, works = lab(**state)
    return works.plan(request_for("scale_cache", CACHE, options=options or {}))


def made(options: dict[str, Any] | None = None, **state: Any) -> Plan:
    plan = plan_of(options, **state)
    assert isinstance(plan, Plan), plan
    return plan


def held(options: dict[str, Any] | None = None, **state: Any) -> PlanHeld:
    plan = plan_of(options, **state)
    assert isinstance(plan, PlanHeld), plan
    return plan


def prepared(options: dict[str, Any] | None = None, **state: Any) -> tuple[FakeClusters, FakeRun]:
    clusters, works = lab(**state)
    request = request_for("scale_cache", CACHE, options=options or {})
    return clusters, planned(works, request, clusters.clock)


# ---- Plans ----


@pytest.mark.parametrize(
    ("options", "state", "what", "before", "after", "steps", "prices"),
    [
        (
            {},
            {},
            "size",
            SIZES[0],
            SIZES[1],
            ("resize", "await_online", "verify"),
            (15.0, 30.0),
        ),
        (
            {"size": SIZES[2]},
            {"size": SIZES[1], "nodes": 2},
            "size",
            SIZES[1],
            SIZES[2],
            ("resize", "await_online", "verify"),
            (60.0, 120.0),
        ),
        (
            {"size": SIZES[0], "exact": True},
            {"size": SIZES[2]},
            "size",
            SIZES[2],
            SIZES[0],
            ("resize", "await_online", "verify"),
            (60.0, 15.0),
        ),
        (
            {"standbys": 1},
            {"size": SIZES[1]},
            "standbys",
            "0",
            "1",
            ("resize", "await_online", "verify"),
            (30.0, 60.0),
        ),
        (
            {"eviction_policy": "volatile_lru"},
            {},
            "eviction_policy",
            "noeviction",
            "volatile_lru",
            ("set_policy", "verify"),
            (15.0, 15.0),
        ),
        (
            {"size": SIZES[1], "standbys": 1, "eviction_policy": "volatile_lru"},
            {},
            "size and standbys and eviction_policy",
            f"{SIZES[0]} × 0 × noeviction",
            f"{SIZES[1]} × 1 × volatile_lru",
            ("set_policy", "resize", "await_online", "verify"),
            (15.0, 60.0),
        ),
    ],
)
def test_a_plan_names_what_changes_its_steps_and_the_price_of_all_nodes(
    options: dict[str, Any],
    state: dict[str, Any],
    what: str,
    before: str,
    after: str,
    steps: tuple[str, ...],
    prices: tuple[float, float],
) -> None:
    plan = made(options, **state)
    assert (plan.what, plan.before, plan.after, plan.steps) == (what, before, after, steps)
    assert (plan.price_before, plan.price_after) == prices
    assert plan.price_source.startswith("DigitalOcean's documented prices")
    assert plan.asks == ""


def test_an_alert_asks_for_at_least_a_size_and_takes_none_away() -> None:
    assert held({"size": SIZES[0]}, size=SIZES[2]).guard == "already_there"
    assert held({"standbys": 0}, size=SIZES[1], nodes=2).guard == "already_there"


@pytest.mark.parametrize(
    ("options", "state", "guard", "said"),
    [
        ({}, {"size": SIZES[2]}, "ladder_top", "the largest size on its ladder"),
        ({}, {"status": "migrating"}, "cluster_status", "is migrating, not online"),
        ({}, {"engine": "pg"}, "engine", "is of engine pg, not valkey"),
        ({"standbys": 1}, {}, "standby_size", "at least 2 GB of memory, and db-s-1vcpu-1gb has"),
        (
            {"size": SIZES[0], "exact": True},
            {"size": SIZES[1], "used_bytes": GB},
            "data_too_large",
            "takes 1.0 GB, which is more than 75% of the 1 GB of db-s-1vcpu-1gb",
        ),
        (
            {"size": SIZES[0], "exact": True},
            {"size": SIZES[1], "nodes": 2},
            "standby_size",
            "Ask for a larger size, or for no standby",
        ),
    ],
)
def test_what_cannot_be_or_would_lose_data_is_held(
    options: dict[str, Any], state: dict[str, Any], guard: str, said: str
) -> None:
    found = held(options, **state)
    assert found.guard == guard
    assert said in found.reason


def test_a_person_may_ask_for_no_more_standbys_than_the_vendor_has() -> None:
    _, works = lab(size=SIZES[1])
    request = request_for(
        "scale_cache",
        CACHE,
        origin=Origin(PERSON, "olga", "an exam"),
        wanted=(Wanted("standbys", to=2),),
    )
    found = works.plan(request)
    assert isinstance(found, PlanHeld)
    assert "0 to 1 standbys, and 2 are wanted" in found.reason


# ---- What a person approves ----


def test_evicting_keys_without_a_time_to_live_needs_approval_and_shows_the_counts() -> None:
    plan = made({"eviction_policy": "allkeys_lru"}, keys=20_500, expiring=20_000)
    assert plan.asks == (
        "500 of 20,500 keys have no time to live, and allkeys_lru may evict them too: sessions, "
        "for example"
    )


@pytest.mark.parametrize(
    ("policy", "keys", "expiring"),
    [("volatile_lru", 500, 0), ("allkeys_lru", 500, 500), ("allkeys_lru", 0, 0)],
)
def test_a_policy_that_evicts_no_lasting_key_needs_no_approval(
    policy: str, keys: int, expiring: int
) -> None:
    assert made({"eviction_policy": policy}, keys=keys, expiring=expiring).asks == ""


def test_what_a_server_that_cannot_be_asked_might_lose_needs_approval() -> None:
    away = vendor_error(FailureKind.TEMPORARY, "its firewall is closed.")
    assert "how many have no time to live is not known. its firewall is closed." in (
        made({"eviction_policy": "allkeys_lru"}, mute=away).asks
    )
    smaller = {"size": SIZES[0], "exact": True}
    assert "whether the data fits into db-s-1vcpu-1gb" in (
        made(smaller, size=SIZES[1], mute=away).asks
    )
    assert made({}, mute=away).asks == "", "a larger size loses nothing"


# ---- runbookd's own Redis ----


def test_runbookds_own_redis_is_refused_by_the_id_of_its_server() -> None:
    found = held({}, own_ids=OWN)
    assert found.guard == "own_store"
    assert "whatever name it is reached by" in found.reason


def test_where_it_is_not_known_whose_redis_it_is_a_person_approves() -> None:
    away = vendor_error(FailureKind.TEMPORARY, "it did not answer.")
    assert "whether the cluster is runbookd's own Redis" in made({}, mute=away, own_ids=OWN).asks
    assert "whether the cluster is runbookd's own Redis" in made({}, own_mute=away).asks


@pytest.mark.parametrize(
    ("options", "step"), [({}, "resize"), ({"eviction_policy": "volatile_lru"}, "set_policy")]
)
def test_an_address_that_leads_to_our_own_redis_by_now_gets_no_write(
    options: dict[str, Any], step: str
) -> None:
    clusters, run = prepared(options, own_ids=frozenset({"another"}))
    clusters.own_ids = OWN
    with pytest.raises(StepFailed, match="the Redis that runbookd itself works with"):
        run.step(step)
    assert clusters.writes.sent == 0
    assert run.intents == {}


def test_what_could_be_told_at_the_plan_and_not_before_the_write_stops_the_write() -> None:
    clusters, run = prepared({}, own_ids=frozenset({"another"}))
    clusters.mute = vendor_error(FailureKind.TEMPORARY, "it is away.")
    with pytest.raises(VendorError, match="could be told when this run looked, and not any more"):
        run.step("resize")
    assert clusters.writes.sent == 0


def test_a_plan_that_was_approved_without_knowing_it_is_carried_out() -> None:
    away = vendor_error(FailureKind.TEMPORARY, "it did not answer.")
    clusters, run = prepared({}, own_ids=OWN, mute=away)
    records = run.execute()
    assert clusters.size == SIZES[1]
    assert records["verify"]["proof"].startswith("not by the server: ")


# ---- Steps ----


def test_the_cluster_is_online_with_all_that_is_wanted_and_its_server_says_so() -> None:
    options = {"size": SIZES[1], "standbys": 1, "eviction_policy": "volatile_lru"}
    clusters, run = prepared(options)
    records = run.execute()
    assert (clusters.size, clusters.nodes, clusters.policy) == (SIZES[1], 2, "volatile_lru")
    assert (clusters.status, clusters.writes.effective) == ("online", ["set_policy", "resize"])
    assert records["verify"]["proof"] == "the server says which policy it works by"


def test_a_cluster_that_is_still_online_at_its_old_size_is_not_taken_for_done() -> None:
    clusters, run = prepared()
    clusters.begins_s = 60.0
    began = clusters.clock.time()
    run.execute()
    assert clusters.clock.time() - began >= 360.0


@pytest.mark.parametrize("options", [{}, {"eviction_policy": "volatile_lru"}])
@pytest.mark.parametrize("begins_s", [0.0, 5.0, 10.0])
def test_a_write_whose_answer_never_came_is_looked_up_and_not_sent_again(
    options: dict[str, Any], begins_s: float
) -> None:
    clusters, run = prepared(options)
    clusters.begins_s = begins_s
    clusters.writes.after[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert len(clusters.writes.effective) == clusters.writes.sent == 1


def test_a_resize_without_effect_is_sent_again() -> None:
    clusters, run = prepared()
    clusters.writes.before[0] = vendor_error(FailureKind.UNKNOWN)
    run.execute()
    assert clusters.writes.effective == ["resize"]
    assert clusters.writes.sent == 2


def test_a_resize_of_somebody_else_is_let_through_and_then_seen() -> None:
    clusters, run = prepared()
    clusters.start(SIZES[2], 1)
    clusters.clock.sleep(10.0)
    with pytest.raises(TargetChanged, match=r"A person changed .*db-s-2vcpu-4gb now"):
        run.step("resize")
    assert clusters.writes.sent == 0


def test_a_standby_that_a_person_adds_meanwhile_is_not_taken_away() -> None:
    clusters, run = prepared({"size": SIZES[2]}, size=SIZES[1])
    clusters.nodes = 2
    with pytest.raises(TargetChanged, match="standbys was 0 when this run looked and is 1 now"):
        run.step("resize")
    assert clusters.writes.sent == 0


def test_a_policy_that_a_person_sets_meanwhile_is_kept() -> None:
    clusters, run = prepared({"eviction_policy": "volatile_lru"})
    clusters.put_policy("volatile_ttl")
    with pytest.raises(TargetChanged, match="volatile_ttl now"):
        run.step("set_policy")
    assert clusters.policy == "volatile_ttl"


def test_a_resize_that_does_not_end_is_told_with_the_status() -> None:
    clusters, run = prepared()
    clusters.takes_s = 1e9
    with pytest.raises(StepFailed, match="is resizing with db-s-1vcpu-1gb with 0 standbys"):
        run.execute()


def test_a_server_that_does_not_follow_its_policy_fails_the_verification() -> None:
    clusters, run = prepared({"eviction_policy": "volatile_lru"})
    clusters.deaf = True
    with pytest.raises(StepFailed, match="its server still works by noeviction"):
        run.execute()


def test_a_former_execution_sends_nothing() -> None:
    clusters, run = prepared()
    run.context.fenced_out = True
    with pytest.raises(FencedOut):
        run.step("resize")
    assert clusters.writes.sent == 0


def test_after_a_failure_the_cluster_is_described() -> None:
    _, run = prepared()
    assert run.works.make_safe(run.context, run.request, run.plan) == (
        "Cluster cache is online at db-s-1vcpu-1gb with 0 standbys, noeviction now (before: "
        "db-s-1vcpu-1gb with 0 standbys, noeviction, wanted: db-s-1vcpu-2gb with 0 standbys, "
        "noeviction)."
    )
