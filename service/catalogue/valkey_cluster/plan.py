"""From what a cluster's nodes showed to a plan for memory, eviction policy and shards. Pure.

What is `observed` is the record of `service.catalogue.valkey_cluster.seen`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from service.catalogue.scale_cache import MEMORY, POLICY, SHARDS, SIZE, STANDBYS, Policy
from service.catalogue.steps.bounds import nothing_to_do
from service.catalogue.valkey_cluster import slots
from service.catalogue.valkey_cluster.target import (
    NO_LIMIT,
    ClusterTarget,
    joined,
    memory_bytes,
    memory_text,
    parted,
)
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.ports.valkey_cluster import SLOTS

POLICIES = get_args(Policy)
"""The eviction policies that servers have, with the sign _ as all policies of scale_cache."""
RETRY_S = 120.0
"""Seconds until a held run looks again: a failover takes some 15 s by default, a restart more."""
FULL = 0.75
"""The part of a machine's memory that maxmemory may take. Copies for replication and backups need
the rest: of 4 GB, a limit of 4 GB leaves nothing for them."""
MOVES = "move_slots_"
"""Steps that move slots have a number after it."""
MOST_STEPS = SLOTS // slots.A_STEP
_GB = 1024**3


def cluster_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Memory, policy and shards, and what is wrong where it does not serve."""
    if not observed["nodes"]:
        return {}
    status = {"status": "; ".join(observed["trouble"])} if observed["trouble"] else {}
    return {**cluster_values(observed), SHARDS: len(_shards(observed)), **status}


def cluster_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """What a plan can change and an undo can put back, of all nodes. Nothing where a node is away:
    of that one nobody knows."""
    if observed["away"] or not observed["nodes"]:
        return {}
    return {name: joined(_values(observed["nodes"], name)) for name in (MEMORY, POLICY)}


def changed_cluster(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """Memory and policy, before and after. Shards are not among them, because none is taken away
    again."""
    before, after = plan.wanted["before"], plan.wanted["after"]
    return {name: (before[name], after[name]) for name in after if after[name] != before[name]}


def choices(_target: ClusterTarget, attribute: str) -> tuple[str, ...]:
    """The values that people may ask of an attribute."""
    return POLICIES if attribute == POLICY else ()


def refused_options(
    target: ClusterTarget, _action: str, options: Mapping[str, Any]
) -> Iterator[str]:
    """What of a rule's options can never be done with this target."""
    for name in (SIZE, STANDBYS):
        if options[name] is not None:
            yield (
                f"{name} is of a managed cluster (kind valkey), and {target.name} is one that you "
                f"run. Name {MEMORY}, {SHARDS} or {POLICY}."
            )
    if all(options[name] is None for name in (SIZE, STANDBYS, MEMORY, SHARDS, POLICY)):
        yield (
            f"{target.name} has no ladder of sizes to climb. Name {MEMORY}, {SHARDS} or {POLICY}, "
            "such as {maxmemory: 3gb}."
        )


def plan_cluster(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The memory, the policy and the shards that are wanted (runbook, Redis Scaling)."""
    target = request.target
    if not isinstance(target, ClusterTarget):
        raise TypeError(f"{target.name} is no valkey_cluster target")
    if held := _held(target, observed):
        return held
    nodes = observed["nodes"]
    before = {name: _values(nodes, name) for name in (MEMORY, POLICY)}
    after = {name: dict(values) for name, values in before.items()}
    expected = {
        each.attribute: parted(str(each.to), before[each.attribute])
        for each in request.expects
        if each.attribute in before
    }
    shards: int | None = None
    for wanted in request.wanted:
        if wanted.attribute == SHARDS:
            count = _shards_wanted(target, wanted, observed)
            if isinstance(count, PlanHeld):
                return count
            shards = count
        else:
            found = _values_wanted(target, wanted, before)
            if isinstance(found, PlanHeld):
                return found
            after[wanted.attribute] = found
    if request.expects:
        after = _put_back(before, after, expected)
        if after == before and (theirs := _theirs(before, expected)):
            return _by_a_person(target, theirs)
    new, moves = _resharded(observed, shards)
    if after == before and not new and not moves:
        return nothing_to_do(target)
    return _cannot_be(target, observed, before, after) or _plan(
        observed, before, after, shards, new, moves, expected
    )


def _held(target: ClusterTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    """What holds back any change of the cluster."""
    if observed["own"]:
        return PlanHeld(
            "own_store",
            f"{' and '.join(observed['own'])} of {target.name} is the Redis that runbookd itself "
            "works with, or a copy of it: the server behind REDIS_URL says so by its id, whatever "
            "name it is reached by. Nothing was changed. Give runbookd a Redis of its own, or take "
            f"target {target.name} out of the rules.",
        )
    if observed["away"]:
        return PlanHeld(
            "node_away",
            f"Not every node of {target.name} could be asked. {' '.join(observed['away'])} Nothing "
            "was changed at any node. Look at that node, or correct CACHE_CLUSTER_URLS.",
            retry_after_s=RETRY_S,
        )
    if observed["single"]:
        return PlanHeld(
            "no_cluster",
            f"{' and '.join(observed['single'])} is no node of a cluster: cluster-enabled is off, "
            "which cannot be changed while a server runs. Nothing was changed. Start it with "
            "cluster-enabled yes, or take it out of CACHE_CLUSTER_URLS.",
        )
    if not observed["nodes"]:
        return PlanHeld(
            "no_cluster",
            "No node of CACHE_CLUSTER_URLS belongs to a cluster yet: none knows another one or "
            "owns slots. Nothing was changed. Make the cluster once: redis-cli --cluster create.",
        )
    return _not_whole(target, observed)


def _not_whole(target: ClusterTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    if observed["unnamed"]:
        return PlanHeld(
            "nodes_missing",
            f"CACHE_CLUSTER_URLS does not name {' and '.join(observed['unnamed'])}, which belong "
            f"to the same cluster. Every node of {target.name} has to be set and read, so nothing "
            "was changed. Add them, primaries and replicas.",
        )
    if observed["trouble"]:
        return PlanHeld(
            "cluster_state",
            f"The cluster {target.name} is not in order: {'; '.join(observed['trouble'])}. Nothing "
            "was changed. Look at CLUSTER INFO and CLUSTER NODES of these nodes.",
            retry_after_s=RETRY_S,
        )
    counted = sum(len(slots.slots_of(each["ranges"])) for each in _shards(observed))
    if observed["agree"] and counted == SLOTS:
        return None
    return PlanHeld(
        "cluster_state",
        f"The nodes of {target.name} do not agree on who owns which slots, or some slots have no "
        f"owner ({counted:,} of {SLOTS:,} have one). Nothing was changed. If it stays so, look at "
        "redis-cli --cluster check.",
        retry_after_s=RETRY_S,
    )


def _values_wanted(
    target: ClusterTarget, wanted: Wanted, before: Mapping[str, Mapping[str, str]]
) -> dict[str, str] | PlanHeld:
    name, to = wanted.attribute, str(wanted.to)
    if name not in before or wanted.to is None:
        return PlanHeld(
            "options",
            f"{target.name} is a cluster that you run, so {name} is nothing that can be changed of "
            f"it; it has {MEMORY}, {SHARDS} and {POLICY}. Nothing was changed.",
        )
    after = parted(to, before[name])
    known = all(
        memory_bytes(each) is not None if name == MEMORY else each in POLICIES
        for each in after.values()
    )
    if not known:
        wants = "a size such as 3gb, or none" if name == MEMORY else ", ".join(POLICIES)
        return PlanHeld(
            "options", f"{name} of {target.name} may be {wants}, not {to}. Nothing was changed."
        )
    if name == MEMORY and wanted.least:
        return {at: _larger(before[name][at], each) for at, each in after.items()}
    return after


def _put_back(
    before: Mapping[str, Mapping[str, str]],
    after: Mapping[str, Mapping[str, str]],
    expected: Mapping[str, Mapping[str, str]],
) -> dict[str, dict[str, str]]:
    """What an undo makes of each node: its former value, where it still has what the run made."""
    return {
        name: {
            at: value
            if before[name][at] == expected.get(name, before[name])[at]
            else before[name][at]
            for at, value in values.items()
        }
        for name, values in after.items()
    }


def _theirs(
    before: Mapping[str, Mapping[str, str]], expected: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """What nodes have that is not what a run had made of them."""
    return [
        f"{at} has {name} {before[name][at]}, and not {made}"
        for name, values in expected.items()
        for at, made in values.items()
        if before[name][at] != made
    ]


def _by_a_person(target: ClusterTarget, theirs: Sequence[str]) -> PlanHeld:
    return PlanHeld(
        "changed_by_a_person",
        f"Nothing of the run is left at {target.name} that could be put back: "
        f"{'; '.join(theirs)}. Nothing was changed. To change it all the same, ask for the value "
        "that you want.",
        by_person=True,
    )


def _larger(one: str, another: str) -> str:
    """The memory that is more; no limit is the most."""
    if NO_LIMIT in (one, another):
        return NO_LIMIT
    return max(one, another, key=lambda each: memory_bytes(each) or 0)


def _shards_wanted(
    target: ClusterTarget, wanted: Wanted, observed: Mapping[str, Any]
) -> int | PlanHeld:
    now = len(_shards(observed))
    count = now + wanted.by if wanted.to is None else int(wanted.to)
    if wanted.least:
        count = max(count, now)
    there = len(_primaries(observed)) + len(observed["new"])
    if count < now:
        return PlanHeld(
            "no_removal",
            f"{target.name} has {now} shards, and {count} are wanted. runbookd adds shards and "
            "takes none away, because what is left may not hold the data. Nothing was changed. "
            "Take it away by hand: redis-cli --cluster reshard, then del-node.",
            facts={"shards": now, "wanted": count},
        )
    if count > there:
        return PlanHeld(
            "nodes",
            f"{count} shards of {target.name} need {count} primaries. There are {there}, with "
            f"{len(observed['new'])} new nodes among them. Nothing was changed. Start "
            f"{count - there} more with cluster-enabled yes, and add their addresses to "
            "CACHE_CLUSTER_URLS.",
            at_bound=True,
            facts={"primaries": there, "wanted": count},
        )
    new = observed["new"][: max(0, count - len(_primaries(observed)))]
    if full := [each["address"] for each in new if each["keys"]]:
        return PlanHeld(
            "not_empty",
            f"{' and '.join(full)} is to join {target.name} and has keys already, which would be "
            "lost. Nothing was changed. Empty it by hand if nobody needs them.",
        )
    return count


def _resharded(
    observed: Mapping[str, Any], shards: int | None
) -> tuple[list[Mapping[str, Any]], list[dict[str, Any]]]:
    """The nodes that join, and the slots that move. Nothing where no number of shards is wanted."""
    if shards is None:
        return [], []
    primaries = _primaries(observed)
    new = observed["new"][: max(0, shards - len(primaries))]
    used = sorted(primaries, key=lambda each: not each["ranges"])[:shards]
    owned = {each["id"]: slots.slots_of(each["ranges"]) for each in [*used, *new]}
    opened = {int(slot): (way[0], way[1]) for slot, way in observed["open"].items()}
    opened = {slot: way for slot, way in opened.items() if {*way} <= owned.keys()}
    if not opened and slots.is_even(map(len, owned.values()), shards):
        return [], []
    return new, slots.moves(owned, opened)


def _cannot_be(
    target: ClusterTarget,
    observed: Mapping[str, Any],
    before: Mapping[str, Mapping[str, str]],
    after: Mapping[str, Mapping[str, str]],
) -> PlanHeld | None:
    """Why the memory cannot be as it is wanted, or would lose data by it."""
    for node in observed["nodes"]:
        at, used, machine = node["address"], node["used"], node["machine"]
        wanted = after[MEMORY][at]
        limit = memory_bytes(wanted)
        if not limit or wanted == before[MEMORY][at]:
            continue
        if used > limit:
            return PlanHeld(
                "data_too_large",
                f"Node {at} of {target.name} uses {used / _GB:.2f} GB, more than {wanted}. What "
                "does not fit would be evicted, or writes refused. Nothing was changed at any "
                "node. Ask for more, or add shards first.",
                facts={"node": at, "used_bytes": used},
            )
        if machine and limit > machine * FULL:
            return PlanHeld(
                "memory",
                f"The machine of node {at} of {target.name} has {machine / _GB:.2f} GB, and "
                f"{wanted} is more than {FULL:.0%} of it: nothing would be left for copies. "
                "Nothing was changed at any node. Ask for less, or give it more memory first.",
                facts={"node": at, "machine_bytes": machine},
            )
    return None


def _plan(
    observed: Mapping[str, Any],
    before: Mapping[str, Mapping[str, str]],
    after: Mapping[str, Mapping[str, str]],
    shards: int | None,
    new: Sequence[Mapping[str, Any]],
    moves: Sequence[Mapping[str, Any]],
    expected: Mapping[str, Mapping[str, str]],
) -> Plan:
    everybody = [*observed["nodes"], *new]
    writes = {name: dict(_writes(name, before[name], after[name], new)) for name in after}
    count = sum(len(slots.slots_of(each["slots"])) for each in moves)
    changed = {
        name: (joined(before[name]), joined(after[name]))
        for name in after
        if after[name] != before[name]
    }
    if new or moves:
        changed[SHARDS] = (str(len(_shards(observed))), f"{shards} ({count:,} slots move)")
    kept = [each["address"] for each in everybody if each["file"] and _is_written(each, writes)]
    steps = [*(f"set_{name}" for name in (POLICY, MEMORY) if writes[name])]
    steps += ["keep"] if kept else []
    steps += ["join"] if new else []
    steps += [f"{MOVES}{number}" for number in range(1, slots.steps_for(moves) + 1)]
    return Plan(
        what=" and ".join(changed),
        before=" × ".join(was for was, _ in changed.values()),
        after=" × ".join(will for _, will in changed.values()),
        steps=(*steps, "verify"),
        wanted={
            # Of an undo: what the run had made of all nodes, and not what each of them has.
            "before": {name: joined(expected.get(name, values)) for name, values in before.items()},
            "after": {name: joined(values) for name, values in after.items()},
            "ids": {each["address"]: each["id"] for each in everybody},
            "set": writes,
            "kept": kept,
            "new": [each["address"] for each in new],
            "moves": list(moves),
        },
        price_before=0.0,
        price_after=0.0,
        downtime=" ".join(_effects(everybody, writes, count)),
        asks="; ".join(_asks(observed, before, after)),
    )


def _writes(
    name: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
    new: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, list[str]]]:
    """Each node that gets another value, with its values before and after. A new node gets what all
    others have."""
    for address, value in after.items():
        if value != before[address]:
            yield address, [before[address], value]
    common = joined(after)
    for node in new:
        now = _values([node], name)[node["address"]]
        if "=" not in common and now != common:
            yield node["address"], [now, common]


def _is_written(node: Mapping[str, Any], writes: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(node["address"] in each for each in writes.values())


def _effects(
    everybody: Sequence[Mapping[str, Any]], writes: Mapping[str, Any], count: int
) -> Iterator[str]:
    yield "No downtime."
    lost = [each["address"] for each in everybody if not each["file"] and _is_written(each, writes)]
    if lost:
        yield f"{' and '.join(lost)} has no file of settings, so a restart there undoes this."
    if count:
        yield (
            f"{count:,} slots move, {slots.A_PIECE} at a time, while all keys are served: clients "
            "follow ASK and MOVED. Commands on several keys of a slot on its way may be told to "
            "try again. The shards stay: an undo puts back memory and policy, and not these."
        )


def _asks(
    observed: Mapping[str, Any],
    before: Mapping[str, Mapping[str, str]],
    after: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    """Why a person has to approve a plan, whoever asked for it."""
    bold = {
        value
        for at, value in after[POLICY].items()
        if value != before[POLICY][at] and value.startswith("allkeys_")
    }
    primaries = _primaries(observed)
    keys = sum(each["keys"] for each in primaries)
    lasting = keys - sum(each["expiring"] for each in primaries)
    if bold and lasting:
        yield (
            f"{lasting:,} of {keys:,} keys have no time to live, and {' and '.join(sorted(bold))} "
            "may evict them too: sessions, for example"
        )


def _primaries(observed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in observed["nodes"] if each["primary"]]


def _shards(observed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The primaries that own slots."""
    return [each for each in _primaries(observed) if each["ranges"]]


def _values(nodes: Sequence[Mapping[str, Any]], name: str) -> dict[str, str]:
    """What each node has of an attribute, by its address."""
    if name == MEMORY:
        return {each["address"]: memory_text(each["maxmemory"]) for each in nodes}
    return {each["address"]: each["policy"].replace("-", "_") for each in nodes}
