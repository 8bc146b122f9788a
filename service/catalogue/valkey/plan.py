"""From what a Valkey cluster showed to a plan for its size, standbys and policy, or what holds it.

Pure. What is `observed` is the record of `service.catalogue.valkey.steps.ClusterWork.observe`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.catalogue.scale_cache import (
    MEMORY,
    MOST_STANDBYS,
    POLICY,
    SHARDS,
    SIZE,
    STANDBYS,
)
from service.catalogue.steps.bounds import nothing_to_do
from service.catalogue.steps.ladder import size_wanted
from service.catalogue.valkey.target import PRICES, ValkeyTarget, memory_gb
from service.domain.decisions.planning import Plan, PlanHeld, together
from service.domain.decisions.requests import Request, Wanted

POLICIES = (
    "noeviction",
    "allkeys_lru",
    "allkeys_random",
    "volatile_lru",
    "volatile_random",
    "volatile_ttl",
)
"""The eviction policies, in the spelling of DigitalOcean's API."""
LEAST_GB_WITH_STANDBY = 2
"""Standbys need at least this memory for each node (the same page)."""
ONLINE = "online"
"""The vendor's word for a cluster that serves."""
NOT_ONLINE_RETRY_S = 120.0
"""Seconds until a held run looks again; a resize takes minutes."""
FULL = 0.75
"""The part of a node's memory that data may take. Copies for replication and backups need the rest:
of 4 GB, a limit of 4 GB leaves nothing for them."""
_GB = 1024**3

NEEDS = {POLICY: "set_policy", SIZE: "resize", STANDBYS: "resize"}
"""The step that changes each attribute. The policy comes first, because it holds at once."""


def cluster_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Size, standbys and policy, and its status where it does not serve."""
    status = observed["status"]
    return {**cluster_values(observed), **({} if status == ONLINE else {"status": status})}


def cluster_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """What a plan can change."""
    return {name: observed[name] for name in (SIZE, STANDBYS, POLICY)}


def cluster_costs(observed: Mapping[str, Any]) -> float | None:
    """What all nodes cost, in dollars a month."""
    return _price(observed, observed)


def changed_cluster(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """Each attribute that a plan changes, with its values before and after."""
    before, after = plan.wanted["before"], plan.wanted["after"]
    return {name: (before[name], after[name]) for name in after if after[name] != before[name]}


def choices(_target: ValkeyTarget, attribute: str) -> tuple[str, ...]:
    """The values that people may ask of an attribute, besides the sizes of the ladder."""
    return POLICIES if attribute == POLICY else ()


def refused_options(
    target: ValkeyTarget, _action: str, options: Mapping[str, Any]
) -> Iterator[str]:
    """What of a rule's options can never be done with this target."""
    for name in (MEMORY, SHARDS):
        if options[name] is not None:
            yield (
                f"{name} is of a cluster that you run yourself (kind valkey_cluster), and "
                f"{target.name} is a managed one. Name {SIZE}, {STANDBYS} or {POLICY}."
            )
    if options[POLICY] not in (None, *POLICIES):
        yield f"{POLICY} of {target.name} may be {', '.join(POLICIES)}, not {options[POLICY]}."
    size = options[SIZE]
    if size is not None and size not in target.sizes:
        yield f"size {size} is not on the ladder of {target.name}: {' → '.join(target.sizes)}."
    if size is not None and options[STANDBYS] and _too_small(size):
        yield f"{_standby_needs(size)} Name a larger size."


def plan_cluster(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The size, the standbys and the policy that are wanted (runbook, Redis Scaling)."""
    target = request.target
    if not isinstance(target, ValkeyTarget):
        raise TypeError(f"{target.name} is no valkey target")
    if held := _held(target, observed):
        return held
    before, after = cluster_values(observed), cluster_values(observed)
    for wanted in request.wanted:
        found = _wanted(target, wanted, before)
        if isinstance(found, PlanHeld):
            return found
        after[wanted.attribute] = found
    if after == before:
        return nothing_to_do(target)
    return _cannot_be(target, observed, before, after) or _plan(target, observed, before, after)


def _held(target: ValkeyTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    """What holds back any change of the cluster."""
    if observed["own"]:
        return PlanHeld(
            "own_store",
            f"Cluster {observed['name']} is the Redis that runbookd itself works with: the server "
            "behind REDIS_URL says so by its id, whatever name it is reached by. Nothing was "
            f"changed. Give runbookd a Redis of its own, or take target {target.name} out of the "
            "rules.",
        )
    if observed["engine"] != "valkey":
        return PlanHeld(
            "engine",
            f"Cluster {observed['name']} is of engine {observed['engine']}, not valkey. Nothing "
            f"was changed. Correct `cluster` of target {target.name} in the rules.",
            facts={"engine": observed["engine"]},
        )
    if observed["status"] != ONLINE:
        return PlanHeld(
            "cluster_status",
            f"Cluster {observed['name']} is {observed['status']}, not {ONLINE}; the vendor takes "
            "no change of it now. Nothing was changed.",
            retry_after_s=NOT_ONLINE_RETRY_S,
            facts={"status": observed["status"]},
        )
    return None


def _wanted(
    target: ValkeyTarget, wanted: Wanted, before: Mapping[str, int | str]
) -> int | str | PlanHeld:
    if wanted.attribute == SIZE:
        return size_wanted(target, wanted, str(before[SIZE]))
    if wanted.attribute == POLICY:
        return _policy(target, wanted)
    if wanted.attribute != STANDBYS:
        return PlanHeld(
            "options",
            f"{target.name} is a managed cluster, so {wanted.attribute} is nothing that can be "
            f"changed of it; it has {SIZE}, {STANDBYS} and {POLICY}. Nothing was changed.",
        )
    current = int(before[STANDBYS])
    count = current + wanted.by if wanted.to is None else int(wanted.to)
    count = max(count, current) if wanted.least else count
    if 0 <= count <= max(MOST_STANDBYS, current):
        return count
    return PlanHeld(
        "bounds",
        f"{target.name} may have 0 to {MOST_STANDBYS} standbys, and {count} are wanted; nothing "
        "was changed.",
        at_bound=wanted.by > 0,
        facts={"wanted": count},
    )


def _policy(target: ValkeyTarget, wanted: Wanted) -> str | PlanHeld:
    if wanted.to in POLICIES:
        return str(wanted.to)
    return PlanHeld(
        "options",
        f"The eviction policy of {target.name} may be {', '.join(POLICIES)}; nothing was changed.",
    )


def _cannot_be(
    target: ValkeyTarget,
    observed: Mapping[str, Any],
    before: Mapping[str, int | str],
    after: Mapping[str, int | str],
) -> PlanHeld | None:
    """Why a cluster cannot be as it is wanted, or would lose data by it."""
    size, used = str(after[SIZE]), observed["used_bytes"]
    if after[STANDBYS] and _too_small(size):
        return PlanHeld(
            "standby_size",
            f"{target.name}: {_standby_needs(size)} Nothing was changed. Ask for a larger size, or "
            "for no standby.",
            facts={"size": size, "standbys": after[STANDBYS]},
        )
    gb = memory_gb(size)
    if size == before[SIZE] or gb is None or used is None or used <= gb * _GB * FULL:
        return None
    return PlanHeld(
        "data_too_large",
        f"The data of {target.name} takes {used / _GB:.1f} GB, which is more than {FULL:.0%} of "
        f"the {gb} GB of {size}. What does not fit would be evicted, or refused. Nothing was "
        "changed. Ask for a larger size, or delete data first.",
        facts={"size": size, "used_bytes": used},
    )


def _plan(
    target: ValkeyTarget,
    observed: Mapping[str, Any],
    before: Mapping[str, int | str],
    after: Mapping[str, int | str],
) -> Plan:
    changed = [name for name in after if after[name] != before[name]]
    writes = list(dict.fromkeys(NEEDS[name] for name in NEEDS if name in changed))
    waits = ["await_online"] if "resize" in writes else []
    what, was, will = together([(name, str(before[name]), str(after[name])) for name in changed])
    return Plan(
        what=what,
        before=was,
        after=will,
        steps=(*writes, *waits, "verify"),
        wanted={
            "cluster": target.cluster,
            "before": dict(before),
            "after": dict(after),
            "unknown": observed["own"] is None,
        },
        price_before=_price(observed, before),
        price_after=_price(observed, after),
        price_source=PRICES.source(observed, str(before[SIZE]), str(after[SIZE])),
        downtime=_downtime(changed),
        asks="; ".join(_asks(observed, before, after)),
    )


def _asks(
    observed: Mapping[str, Any],
    before: Mapping[str, int | str],
    after: Mapping[str, int | str],
) -> Iterator[str]:
    """Why a person has to approve a plan, whoever asked for it."""
    policy, keys, why = str(after[POLICY]), observed["keys"], observed["why"]
    if observed["own"] is None:
        yield f"it is not known whether the cluster is runbookd's own Redis. {why}"
    if policy != before[POLICY] and policy.startswith("allkeys_"):
        lasting = None if keys is None else keys - observed["expiring"]
        if lasting is None:
            yield (
                f"{policy} may evict every key, and how many have no time to live is not known. "
                f"{why}"
            )
        elif lasting:
            yield (
                f"{lasting:,} of {keys:,} keys have no time to live, and {policy} may evict them "
                "too: sessions, for example"
            )
    if observed["used_bytes"] is None and _is_smaller(str(before[SIZE]), str(after[SIZE])):
        yield f"it is not known whether the data fits into {after[SIZE]}. {why}"


def _downtime(changed: list[str]) -> str:
    if SIZE in changed:
        return "Connections break once, when the cluster moves to its new nodes after minutes."
    if STANDBYS in changed:
        return "No downtime: the primary serves while its standby comes or goes, within minutes."
    return "No downtime."


def _price(observed: Mapping[str, Any], state: Mapping[str, Any]) -> float | None:
    each = PRICES.price(observed, str(state[SIZE]))
    return None if each is None else each * (int(state[STANDBYS]) + 1)


def _too_small(size: str) -> bool:
    gb = memory_gb(size)
    return gb is not None and gb < LEAST_GB_WITH_STANDBY


def _standby_needs(size: str) -> str:
    return (
        f"A standby needs nodes with at least {LEAST_GB_WITH_STANDBY} GB of memory, and {size} has "
        "less."
    )


def _is_smaller(before: str, after: str) -> bool:
    """Whether a size has less memory than another; True where nobody can tell."""
    was, will = memory_gb(before), memory_gb(after)
    return before != after and (was is None or will is None or will < was)
