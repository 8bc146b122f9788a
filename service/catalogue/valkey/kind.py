"""Managed Valkey's entry in the catalogue, and its own action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from service.catalogue.actions import named_values
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.catalogue.valkey.plan import (
    MOST_STANDBYS,
    POLICY,
    SIZE,
    STANDBYS,
    changed_cluster,
    choices,
    cluster_costs,
    cluster_is,
    cluster_values,
    plan_cluster,
    refused_options,
)
from service.catalogue.valkey.steps import ClusterWork, seen_by_doctor
from service.catalogue.valkey.target import (
    NAME,
    PRICES,
    ValkeyShape,
    ValkeyTarget,
    build_cluster,
)
from service.domain.decisions.directions import SET
from service.domain.decisions.requests import Wanted

Policy = Literal[
    "noeviction", "allkeys_lru", "allkeys_random", "volatile_lru", "volatile_random", "volatile_ttl"
]


class CacheOptions(Shape):
    """Which size, how many standbys, which eviction policy. Without any of them: the next size.

    Of size and standbys an alert asks for at least these. With `exact` it may take away too.
    """

    size: Text | None = None
    standbys: int | None = Field(default=None, ge=0, le=MOST_STANDBYS)
    eviction_policy: Policy | None = None
    exact: bool = False


def _named(options: Mapping[str, Any]) -> list[str]:
    return [name for name in (SIZE, STANDBYS, POLICY) if options[name] is not None]


def _wanted(options: Mapping[str, Any]) -> tuple[Wanted, ...]:
    policy = options[POLICY]
    values = named_values(options, SIZE, STANDBYS)
    values += () if policy is None else (Wanted(POLICY, to=policy),)
    return values or (Wanted(SIZE, by=1),)


def _way(options: Mapping[str, Any]) -> str:
    """Standbys alone are more of something; everything else makes the cluster larger, or another.

    A policy takes no capacity away.
    """
    if options["exact"]:
        return SET
    return "out" if _named(options) == [STANDBYS] else "up"


def _lacking(options: Mapping[str, Any]) -> str:
    if options["exact"] and not _named(options):
        return "scale_cache has exact, and no value that it belongs to, such as {standbys: 1}."
    return ""


SCALE_CACHE = ActionSpec(
    "scale_cache",
    Effect.CHANGES,
    SET,
    wanted=_wanted,
    options=CacheOptions,
    directed=_way,
    sets=(SIZE, STANDBYS, POLICY),
    lacking=_lacking,
)
"""The size, the standbys and the eviction policy of a cache (runbook, Redis Scaling)."""


KIND = KindSpec(
    name=NAME,
    stand_in="digitalocean",
    target=ValkeyTarget,
    shape=ValkeyShape,
    build=build_cluster,
    actions=(SCALE_CACHE,),
    plan=plan_cluster,
    state=cluster_is,
    work=ClusterWork,
    look=seen_by_doctor,
    prices=PRICES,
    cost=cluster_costs,
    values=cluster_values,
    changed=changed_cluster,
    choices=choices,
    refuses=refused_options,
    size_form=r"(db|gd|m3|so1_5)-[a-z0-9_-]+",
)
