"""The entry of the application's cache in the catalogue, and its own actions."""

from __future__ import annotations

from service.catalogue.cache import strategies
from service.catalogue.cache.flush import FlushOptions
from service.catalogue.cache.plan import (
    EVICTS_ALL,
    cache_changed,
    cache_is,
    cache_values,
    choices,
    doubts,
    plan_cache,
    refused_options,
)
from service.catalogue.cache.steps import CacheWork
from service.catalogue.cache.target import NAME, PRICES, CacheShape, CacheTarget, build_cache
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.decisions.requests import Wanted
from service.domain.levels.levels import Bounds
from service.ports.cache import AppCache

SET_CACHE_STRATEGY = ActionSpec(
    "set_cache_strategy",
    Effect.CHANGES,
    "up",
    wanted=lambda options: (Wanted(strategies.ATTRIBUTE, to=options["strategy"]),),
    options=strategies.StrategyOptions,
)
"""How the application caches (runbook, Scaling Scenarios: cache_ttl and cache_everything)."""

FLUSH_CACHE = ActionSpec("flush_cache", Effect.CHANGES, "out", options=FlushOptions, undoes=False)
"""What is in the application's cache, and nothing else of its server (runbook, Emergency Scaling
Procedures, whose FLUSHALL takes the sessions too). It moves nothing; its direction is that of an
addition, because it takes no capacity away."""


def _look(cache: AppCache, target: CacheTarget) -> str:
    server = cache.server()
    value = strategies.value_of(cache.settings(target.settings, strategies.FIELDS), target.values)
    evicts = server.eviction or "not told"
    warned = (
        ", which may drop the settings: a policy volatile-* keeps them"
        if server.eviction.startswith(EVICTS_ALL)
        else ""
    )
    what = "a node of a cluster" if server.clustered else "a primary"
    return (
        f"the cache is {server.version}, {what if server.writable else 'a replica'}, with "
        f"{server.keys:,} keys and the policy {evicts}{warned}; its strategy is {value}"
    )


KIND = KindSpec(
    name=NAME,
    stand_in="",
    target=CacheTarget,
    shape=CacheShape,
    build=build_cache,
    actions=(SET_CACHE_STRATEGY, FLUSH_CACHE),
    plan=plan_cache,
    state=cache_is,
    work=CacheWork,
    look=_look,
    prices=PRICES,
    changed=cache_changed,
    values=cache_values,
    choices=choices,
    cost=lambda _: 0.0,
    doubts=doubts,
    refuses=refused_options,
    levels=lambda _: {strategies.ATTRIBUTE: Bounds(values=strategies.NAMES)},
    interrupts=False,
)
