"""Processes that die at every write, before and after it took effect: the end is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from service.catalogue.bucket.packing import unpacked
from service.catalogue.bucket.target import BucketTarget
from service.catalogue.cache.removal import PIECE
from service.catalogue.cache.target import SETTINGS, CacheTarget
from service.catalogue.cloudflare_zone.rules import value_of
from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.digitalocean_account.target import AccountTarget
from service.catalogue.nginx.render import render
from service.catalogue.valkey.target import ValkeyTarget
from service.ports.bucket import Contents
from tests.fakes.accounts import FakeAccount
from tests.fakes.apps import FakeApps
from tests.fakes.buckets import FakeBuckets
from tests.fakes.caches import FakeCache
from tests.fakes.clock import FakeClock
from tests.fakes.clusters import CLUSTER, SIZES, FakeClusters
from tests.fakes.database import FakeDatabase
from tests.fakes.droplets import FakeDroplets
from tests.fakes.faults import ProcessDied, Writes
from tests.fakes.nginx import FakeNginx
from tests.fakes.runs import API, DATABASE, EDGE, WORKER, FakeRun, planned, request_for, works_on
from tests.fakes.zones import ZONE, FakeZones

PROBE = "https://quizmentor.app/assets/app.js"


@dataclass(slots=True)
class Case:
    run: FakeRun
    writes: Writes
    ended: Callable[[], object]
    wanted: Any


def horizontal() -> Case:
    clock = FakeClock()
    apps = FakeApps(clock)
    request = request_for("horizontal_scale", API)
    run = planned(works_on(clock, apps=apps), request, clock)
    return Case(run, apps.writes, lambda: apps.running("api")["instance_count"], 3)


def instance_size() -> Case:
    clock = FakeClock()
    apps = FakeApps(clock)
    request = request_for("vertical_scale", API)
    run = planned(works_on(clock, apps=apps, droplets=FakeDroplets(clock)), request, clock)
    ended = lambda: apps.running("api")["instance_size_slug"]  # noqa: E731 - a case in one line
    return Case(run, apps.writes, ended, "professional-s")


def capacity() -> Case:
    clock = FakeClock()
    apps = FakeApps(clock)
    options = {"replicas": 5, "size": "professional-m"}
    run = planned(
        works_on(clock, apps=apps), request_for("set_capacity", API, options=options), clock
    )
    values = ("instance_count", "instance_size_slug")
    return Case(
        run,
        apps.writes,
        lambda: tuple(apps.running("api")[each] for each in values),
        (5, "professional-m"),
    )


def autoscaling() -> Case:
    clock = FakeClock()
    apps = FakeApps(clock)
    options = {"min": 2, "max": 6, "cpu": 70, "health_path": "/health"}
    request = request_for("set_autoscaling", API, options=options)
    run = planned(works_on(clock, apps=apps), request, clock)
    keys = ("instance_size_slug", "autoscaling", "health_check")
    block = {
        "min_instance_count": 2,
        "max_instance_count": 6,
        "metrics": {"cpu": {"percent": 70}},
    }
    return Case(
        run,
        apps.writes,
        lambda: tuple(apps.running("api")[each] for each in keys),
        ("professional-l", block, {"http_path": "/health"}),
    )


def droplet(*, ignores_shutdown: bool = False) -> Case:
    clock = FakeClock()
    droplets = FakeDroplets(clock)
    droplets.ignores_shutdown = ignores_shutdown
    request = request_for("vertical_scale", WORKER)
    run = planned(works_on(clock, apps=FakeApps(clock), droplets=droplets), request, clock)
    ended = lambda: (droplets.size, droplets.status)  # noqa: E731 - a case in one line
    return Case(run, droplets.writes, ended, ("s-1vcpu-2gb", "active"))


def stubborn_droplet() -> Case:
    return droplet(ignores_shutdown=True)


def database() -> Case:
    clock = FakeClock()
    fake = FakeDatabase(clock)
    run = planned(works_on(clock, database=fake), request_for("scale_database", DATABASE), clock)
    return Case(
        run, fake.writes, lambda: (fake.variant, fake.status), ("ci_small", "ACTIVE_HEALTHY")
    )


def pooler() -> Case:
    clock = FakeClock()
    fake = FakeDatabase(clock)
    target = replace(DATABASE, pooler={"min": 5, "max": 40, "pools": 1, "reserved": 7})
    request = request_for("set_pooler", target, options={"pool_size": 30})
    run = planned(works_on(clock, database=fake), request, clock)
    return Case(run, fake.writes, lambda: fake.pool, 30)


def replicas() -> Case:
    clock = FakeClock()
    fake = FakeDatabase(clock, variant="ci_small")
    section = {
        "max": 2,
        "regions": ["us-east-1"],
        "max_lag_s": 10.0,
        "readers": ["postgres"],
    }
    target = replace(DATABASE, replicas=section)
    request = request_for("set_replicas", target, options={"replicas": 2})
    run = planned(works_on(clock, database=fake), request, clock)
    return Case(run, fake.writes, lambda: len(fake.copies), 2)


def balancer(*, first: bool = False) -> Case:
    clock = FakeClock()
    old = None if first else render(replace(EDGE, servers=("10.0.0.11:8080",)))
    nginx = FakeNginx(clock, text=old, loaded=old)
    run = planned(works_on(clock, nginx=nginx), request_for("apply_balancer", EDGE), clock)
    return Case(run, nginx.writes, lambda: (nginx.text, nginx.loaded), (render(EDGE),) * 2)


def first_balancer() -> Case:
    return balancer(first=True)


def purge() -> Case:
    clock = FakeClock()
    zones = FakeZones(clock)
    zones.copy(PROBE)
    clock.sleep(60.0)
    request = request_for(
        "purge",
        ZoneTarget("cdn", ZONE, PROBE),
        options={"prefixes": ["quizmentor.app/"], "files": [PROBE]},
    )
    run = planned(works_on(clock, zones=zones), request, clock)
    wanted = [("prefixes", ("quizmentor.app/",)), ("files", (PROBE,))]
    return Case(run, zones.writes, lambda: zones.asked, wanted)


def cache_rules() -> Case:
    clock = FakeClock()
    zones = FakeZones(clock)
    sets = {"standard": [{"name": "a", "path": "/a/*", "host": "", "mode": "bypass"}]}
    request = request_for("set_cache_rules", ZoneTarget("cdn", ZONE, "", "", sets))
    run = planned(works_on(clock, zones=zones), request, clock)
    return Case(run, zones.writes, lambda: value_of(zones.rules), "standard")


def cache(action: str, **options: object) -> Case:
    clock = FakeClock()
    fake = FakeCache(clock, {f"cache:{n}": "x" for n in range(PIECE + 100)})
    fake.keys |= {"session:1": "me", "quiz:generation": "41"}
    target = CacheTarget("app-cache", prefixes=("cache:",), generation="quiz:generation")
    run = planned(works_on(clock, cache=fake), request_for(action, target, options=options), clock)
    return Case(run, fake.writes, lambda: fake.keys, {**fake.keys})


def cache_strategy() -> Case:
    case = cache("set_cache_strategy", strategy="aggressive")
    case.wanted[SETTINGS] = {"strategy": "aggressive", "ttl": "3600", "everything": "true"}
    return case


def cache_generation() -> Case:
    case = cache("flush_cache")
    case.wanted["quiz:generation"] = "42"
    return case


def cache_entries() -> Case:
    case = cache("flush_cache", prefixes=["cache:"])
    case.wanted = {"session:1": "me", "quiz:generation": "41"}
    return case


def cluster() -> Case:
    clock = FakeClock()
    fake = FakeClusters(clock)
    options = {"size": SIZES[1], "standbys": 1, "eviction_policy": "volatile_lru"}
    request = request_for("scale_cache", ValkeyTarget("cache", CLUSTER, SIZES), options=options)
    run = planned(works_on(clock, clusters=fake), request, clock)
    wanted = (SIZES[1], 2, "volatile_lru", "online")
    return Case(run, fake.writes, lambda: (fake.size, fake.nodes, fake.policy, fake.status), wanted)


def put_object() -> Case:
    clock = FakeClock()
    fake = FakeBuckets(clock)
    fake.store("config.json", Contents(b"by hand"))
    each = {"key": "config.json", "content_type": "a/b", "cache_control": "", "public": False}
    objects = {"config": {**each, "bodies": {"static": "on"}}}
    target = BucketTarget("frontend", "quiz", "https://nyc3.example", "nyc3", objects)
    request = request_for("put_object", target, options={"object": "config", "body": "static"})
    run = planned(works_on(clock, buckets=fake), request, clock)
    return Case(run, fake.writes, lambda: fake.body("config.json"), "on")


def compress_assets() -> Case:
    clock = FakeClock()
    fake = FakeBuckets(clock, versioned=True)
    texts = [Contents(each * 2_000, {"ContentType": "text/css"}) for each in (b"ab", b"c")]
    for key, contents in zip(("a.css", "b.css"), texts, strict=True):
        fake.store(f"assets/{key}", contents)
    target = BucketTarget("frontend", "quiz", "https://nyc3.example", "nyc3", assets="assets/")
    request = request_for("compress_assets", target, options={"prefix": "", "most": 10})
    run = planned(works_on(clock, buckets=fake), request, clock)

    def ended() -> list[Contents | None]:
        return [unpacked(each.contents) for each in fake.objects.values() if each.contents]

    return Case(run, fake.writes, ended, texts)


def unused() -> Case:
    clock = FakeClock()
    fake = FakeAccount(clock)
    fake.add("volume", "v1", gigabytes=Decimal(100))
    fake.add("droplet", "7", month=Decimal(6), disk_gb=25)
    fake.add("load balancer", "b1")
    fake.add("volume", "kept", gigabytes=Decimal(1), tags=("keep",))
    request = request_for("remove_unused", AccountTarget("account"))
    run = planned(works_on(clock, account=fake), request, clock)
    return Case(run, fake.writes, fake.ids, ["kept", "sv1", "s7"])


def cache_level() -> Case:
    clock = FakeClock()
    zones = FakeZones(clock)
    target = ZoneTarget("cdn", ZONE, cache_levels=("basic", "aggressive"))
    request = request_for("set_cache_level", target, options={"level": "basic"})
    run = planned(works_on(clock, zones=zones), request, clock)
    return Case(run, zones.writes, lambda: zones.level, "basic")


CASES: dict[Callable[[], Case], list[str]] = {
    horizontal: ["update_app"],
    instance_size: ["update_app"],
    capacity: ["update_app"],
    autoscaling: ["update_app"],
    droplet: ["snapshot", "shutdown", "resize", "power_on"],
    stubborn_droplet: ["snapshot", "shutdown", "power_off", "resize", "power_on"],
    database: ["resize"],
    pooler: ["set_pool_size"],
    replicas: ["setup_replica", "setup_replica"],
    balancer: ["write", "reload"],
    first_balancer: ["write", "reload"],
    cache_rules: ["set_cache_rules"],
    cache_level: ["set_cache_level basic"],
    purge: ["purge prefixes", "purge files"],
    cache_strategy: ["settings"],
    cache_generation: ["generation"],
    cache_entries: ["unlink", "unlink"],
    cluster: ["set_policy", "resize"],
    put_object: ["put"],
    compress_assets: ["put", "put"],
    unused: ["delete b1", "snapshot v1", "delete v1", "snapshot 7", "delete 7"],
}
CRASHES = [
    pytest.param(case, k, when, down_s, id=f"{case.__name__}-{writes[k]}-{when}-{down_s:g}s")
    for case, writes in CASES.items()
    for k in range(len(writes))
    for when in ("before", "after")
    for down_s in (0.0, 7.0, 600.0)
]


@pytest.mark.parametrize(("make", "k", "when", "down_s"), CRASHES)
def test_a_crash_around_any_write_leads_to_the_same_end_with_each_write_once(
    make: Callable[[], Case], k: int, when: str, down_s: float
) -> None:
    case = make()
    getattr(case.writes, when)[k] = ProcessDied()
    with pytest.raises(ProcessDied):
        case.run.execute()
    case.run.clock.sleep(down_s)
    case.run.execute()
    assert case.ended() == case.wanted
    assert case.writes.effective == CASES[make]


@pytest.mark.parametrize("make", list(CASES))
def test_a_crash_before_a_step_is_recorded_repeats_it_without_a_second_effect(
    make: Callable[[], Case],
) -> None:
    case = make()
    for name in case.run.plan.steps:
        case.run.step(name)
        del case.run.records[name]
        case.run.context = case.run.fresh()
        case.run.step(name)
    assert case.ended() == case.wanted
    assert case.writes.effective == CASES[make]


@pytest.mark.parametrize("make", list(CASES))
def test_dying_around_every_single_write_of_a_run_still_leads_to_the_end(
    make: Callable[[], Case],
) -> None:
    case = make()
    case.writes.after.update({k: ProcessDied() for k in range(len(CASES[make]))})
    deaths = 0
    while True:
        try:
            case.run.execute()
            break
        except ProcessDied:
            deaths += 1
    assert deaths == len(CASES[make])
    assert case.ended() == case.wanted
    assert case.writes.effective == CASES[make]
