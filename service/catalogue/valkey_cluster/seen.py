"""What the nodes say of themselves, put together to one record of the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.ports.valkey_cluster import Member, NodeState

OK = "ok"
"""The server's word for a cluster that serves all slots."""
_TROUBLE = frozenset({"fail", "fail?", "noaddr", "handshake", "disconnected"})
"""Flags of a node that another one does not reach, or does not know yet."""


def seen_together(
    states: Sequence[NodeState], away: Mapping[str, str], own: frozenset[str]
) -> dict[str, Any]:
    """The cluster, the nodes that are new to it, and what is wrong with any of them.

    `away` has the nodes that did not answer, with a sentence about each. `own` are the ids of
    runbookd's own Redis.
    """
    within = [each for each in states if each.view and not _is_new(each)]
    primaries = {
        member.id for each in within if each.view for member in each.view.members if _leads(member)
    }
    return {
        "away": [f"{address}: {why}" for address, why in sorted(away.items())],
        "own": [each.address for each in states if each.ids & own],
        "single": [each.address for each in states if each.view is None],
        "nodes": [_node(each, primaries) for each in within],
        "new": [_node(each, primaries) for each in states if _is_new(each)],
        "unnamed": sorted(_unnamed(within)),
        "trouble": sorted(set(_trouble(within))),
        "agree": len({_ownership(each) for each in within}) <= 1,
        "open": _open(within),
    }


def _is_new(state: NodeState) -> bool:
    """Whether it knows no other node and owns nothing."""
    view = state.view
    return view is not None and len(view.members) == 1 and not view.members[0].ranges


def _leads(member: Member) -> bool:
    return "master" in member.flags


def _node(state: NodeState, primaries: set[str]) -> dict[str, Any]:
    view = state.view
    assert view is not None  # noqa: S101 - callers have looked
    mine = next(each for each in view.members if each.id == view.me)
    return {
        "address": state.address,
        "id": view.me,
        "primary": view.me in primaries and _leads(mine),
        "ranges": [list(each) for each in mine.ranges],
        "maxmemory": state.maxmemory,
        "policy": state.policy,
        "file": state.has_file,
        "keys": state.keys,
        "expiring": state.expiring,
        "used": state.used_bytes,
        "machine": state.machine_bytes,
    }


def _unnamed(within: Sequence[NodeState]) -> Iterator[str]:
    """Nodes of the cluster that no address leads to."""
    named = {each.view.me for each in within if each.view}
    for each in within:
        for member in each.view.members if each.view else ():
            if member.id not in named:
                yield member.at


def _trouble(within: Sequence[NodeState]) -> Iterator[str]:
    for each in within:
        if each.state != OK:
            yield f"{each.address} says cluster_state {each.state or 'unknown'}"
        for member in each.view.members if each.view else ():
            if marks := sorted(member.flags & _TROUBLE):
                yield f"{each.address} says {member.at or member.id[:8]} is {' and '.join(marks)}"


def _ownership(state: NodeState) -> frozenset[tuple[str, tuple[tuple[int, int], ...]]]:
    members = state.view.members if state.view else ()
    return frozenset((each.id, each.ranges) for each in members if each.ranges)


def _open(within: Sequence[NodeState]) -> dict[str, list[str]]:
    """Slots on their way, as their nodes see it: where each comes from and where it goes to.

    A node may keep the mark of a slot that another one owns by now. Such a one is on no way.
    """
    found: dict[str, list[str]] = {}
    for each in within:
        view = each.view
        if view is None or not (view.leaving or view.coming):
            continue
        owners = {
            slot: member.id
            for member in view.members
            for first, last in member.ranges
            for slot in range(first, last + 1)
        }
        ways = [(slot, view.me, to) for slot, to in view.leaving.items()]
        ways += [(slot, of, view.me) for slot, of in view.coming.items()]
        found |= {str(slot): [of, to] for slot, of, to in ways if owners.get(slot) == of}
    return found
