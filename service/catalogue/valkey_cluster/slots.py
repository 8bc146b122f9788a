"""Which slots move from which node to which, so that all nodes own equally many. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from service.ports.valkey_cluster import SLOTS

A_STEP = 1024
"""Slots of one step. A step is what is recorded, so a person can stop a run between two of them."""
A_PIECE = 16
"""Slots that are on their way at once. For those, clients are sent from one node to the other."""
UNEVEN = 0.02
"""By which part of its share a node may have more or fewer and count as even: as redis-cli does."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Slots that move together, by the ids of the two nodes."""

    source: str
    target: str
    slots: tuple[int, ...]


def ranges_of(slots: Iterable[int]) -> list[list[int]]:
    """First and last of each row of slots without a gap."""
    found: list[list[int]] = []
    for slot in sorted(slots):
        if found and found[-1][1] == slot - 1:
            found[-1][1] = slot
        else:
            found.append([slot, slot])
    return found


def slots_of(ranges: Iterable[Sequence[int]]) -> list[int]:
    """All slots of some ranges."""
    return [slot for first, last in ranges for slot in range(first, last + 1)]


def is_even(counts: Iterable[int], shards: int) -> bool:
    """Whether so many shards own about equally many slots, `counts` of them."""
    share = SLOTS / shards
    return all(abs(count - share) <= share * UNEVEN for count in counts)


def moves(
    owned: Mapping[str, Sequence[int]], opened: Mapping[int, tuple[str, str]]
) -> list[dict[str, Any]]:
    """What has to move, as plain JSON: `from`, `to` and the ranges of `slots`.

    `owned` has the slots of each node that shall own some, by its id; new nodes own none. `opened`
    are slots that are on their way already, with the node that each comes from and goes to. They
    are moved there first, because that is the quickest way to a whole cluster.
    """
    going: dict[tuple[str, str], list[int]] = {}
    for slot, way in opened.items():
        going.setdefault(way, []).append(slot)
    will = {node: sorted(set(slots) - opened.keys()) for node, slots in owned.items()}
    coming = {node: sum(to == node for _, to in opened.values()) for node in owned}
    shares = _shares({node: len(will[node]) + coming[node] for node in owned})
    spare = {node: _spare(will[node], shares[node] - coming[node]) for node in owned}
    for target in owned:
        lacking = shares[target] - len(will[target]) - coming[target]
        for source, left in spare.items():
            if lacking > 0 and left:
                taken = [left.pop() for _ in range(min(lacking, len(left)))]
                going.setdefault((source, target), []).extend(taken)
                lacking -= len(taken)
    return [
        {"from": source, "to": target, "slots": ranges_of(slots)}
        for (source, target), slots in going.items()
    ]


def _shares(counts: Mapping[str, int]) -> dict[str, int]:
    """How many each shall own. Who has the most keeps the one that is left over."""
    each, over = divmod(SLOTS, len(counts))
    order = sorted(counts, key=lambda node: (-counts[node], node))
    return {node: each + (place < over) for place, node in enumerate(order)}


def _spare(slots: Sequence[int], share: int) -> list[int]:
    """What a node owns beyond its share: its last ones, the first of them at the end."""
    return list(reversed(slots[max(share, 0) :]))


def pieces(wanted: Sequence[Mapping[str, Any]], number: int) -> Iterator[Piece]:
    """What one step moves, in pieces; steps are counted from 1."""
    every = [
        (each["from"], each["to"], slot) for each in wanted for slot in slots_of(each["slots"])
    ]
    mine = every[(number - 1) * A_STEP : number * A_STEP]
    for (source, target), group in groupby(mine, key=lambda each: each[:2]):
        slots = [slot for *_, slot in group]
        for first in range(0, len(slots), A_PIECE):
            yield Piece(source, target, tuple(slots[first : first + A_PIECE]))


def steps_for(wanted: Sequence[Mapping[str, Any]]) -> int:
    """How many steps the moves take."""
    count = sum(len(slots_of(each["slots"])) for each in wanted)
    return -(-count // A_STEP)
