"""scale_cache: the size of a cache, managed or one's own (runbook, Redis Scaling)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from service.catalogue.actions import named_values
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect
from service.domain.decisions.directions import SET
from service.domain.decisions.requests import Wanted

SIZE, STANDBYS, POLICY = "size", "standbys", "eviction_policy"
"""What can be changed of a managed cluster."""
MEMORY, SHARDS = "maxmemory", "shards"
"""What can be changed of one's own cluster, besides the policy."""
MOST_STANDBYS = 1
"""A managed cluster has one standby at most (DigitalOcean's page on standby nodes)."""
MOST_SHARDS = 1000
"""The most nodes that the specification of the cluster is made for."""
ALL = (SIZE, STANDBYS, POLICY, MEMORY, SHARDS)

Policy = Literal[
    "noeviction",
    "allkeys_lru",
    "allkeys_lfu",
    "allkeys_random",
    "volatile_lru",
    "volatile_lfu",
    "volatile_random",
    "volatile_ttl",
]
Memory = Annotated[str, Field(pattern=r"^(none|[1-9]\d{0,9}(gb|mb|kb|b))$")]


class CacheOptions(Shape):
    """Which size, how many standbys or shards, which memory of each node, which eviction policy.
    Without any of them: the next size.

    Of all but the policy an alert asks for at least these. With `exact` it may take away too.
    """

    size: Text | None = None
    standbys: int | None = Field(default=None, ge=0, le=MOST_STANDBYS)
    eviction_policy: Policy | None = None
    maxmemory: Memory | None = Field(
        default=None, description="a size such as 3gb or 512mb, or none for no limit"
    )
    shards: int | None = Field(default=None, ge=1, le=MOST_SHARDS)
    exact: bool = False


def _named(options: Mapping[str, Any]) -> list[str]:
    return [name for name in ALL if options[name] is not None]


def _wanted(options: Mapping[str, Any]) -> tuple[Wanted, ...]:
    policy = options[POLICY]
    values = named_values(options, SIZE, STANDBYS, MEMORY, SHARDS)
    values += () if policy is None else (Wanted(POLICY, to=policy),)
    return values or (Wanted(SIZE, by=1),)


def _way(options: Mapping[str, Any]) -> str:
    """Standbys or shards alone are more of something; everything else makes the cluster larger, or
    another.

    A policy takes no capacity away.
    """
    if options["exact"]:
        return SET
    return "out" if _named(options) in ([STANDBYS], [SHARDS]) else "up"


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
    sets=ALL,
    lacking=_lacking,
)
"""The size, the standbys and the eviction policy of a managed cache; the memory, the policy and the
shards of one's own."""
