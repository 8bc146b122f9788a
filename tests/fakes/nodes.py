"""A cluster of one's own in memory. Each node has its own view, and they talk a little later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from service.domain.errors import FailureKind, VendorError
from service.ports.valkey_cluster import SLOTS, Member, NodeState, View
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, vendor_error

MACHINE = 8 * 1024**3


@dataclass(slots=True)
class FakeNode:
    """One server. `owners` has the owner of each slot as this node believes it to be."""

    address: str
    id: str
    owners: list[str] = field(default_factory=lambda: [""] * SLOTS)
    keys: dict[int, list[bytes]] = field(default_factory=dict)
    joined: bool = True
    primary: str = ""
    maxmemory: int = 0
    policy: str = "noeviction"
    file: bool = False
    kept: tuple[int, str] | None = None
    leaving: dict[int, str] = field(default_factory=dict)
    coming: dict[int, str] = field(default_factory=dict)
    expiring: int = 0
    used: int = 0
    state: str = "ok"
    clustered: bool = True
    ids: frozenset[str] = frozenset()
    away: VendorError | None = None


@dataclass(slots=True)
class FakeNodes:
    """Nodes by their addresses. What the new owner of a slot says reaches all but the old one at
    once, and that one `gossip_s` later, unless it is told before."""

    clock: FakeClock
    nodes: dict[str, FakeNode] = field(default_factory=dict)
    own_ids: frozenset[str] = frozenset()
    named: tuple[str, ...] | None = None
    writes: Writes = field(default_factory=Writes)
    gossip_s: float = 30.0
    handshake_s: float = 0.2
    refused: dict[str, VendorError] = field(default_factory=dict)
    """What a node answers to each CONFIG SET."""
    _news: list[tuple[float, str, int, str]] = field(default_factory=list)
    _meets: list[tuple[float, str]] = field(default_factory=list)

    def addresses(self) -> Sequence[str]:
        return list(self.nodes if self.named is None else self.named)

    def node(self, address: str) -> NodeState:
        one = self._reached(address)
        return NodeState(
            address=address,
            ids=one.ids | {f"run-{one.id}"},
            view=self.view(address) if one.clustered else None,
            state=one.state,
            maxmemory=one.maxmemory,
            policy=one.policy,
            has_file=one.file,
            keys=self.count(one),
            expiring=one.expiring,
            used_bytes=one.used,
            machine_bytes=MACHINE,
        )

    def view(self, address: str) -> View:
        one = self._reached(address)
        known = [
            each for each in self.nodes.values() if each is one or (each.joined and one.joined)
        ]
        return View(one.id, self._members(one, known), dict(one.leaving), dict(one.coming))

    def own(self) -> frozenset[str]:
        return self.own_ids

    def set(self, address: str, name: str, value: str) -> None:
        one = self._reached(address)
        if problem := self.refused.get(address):
            raise problem
        self._send(f"{name} {address}", lambda: self._set(one, name, value))

    def keep(self, address: str) -> None:
        one = self._reached(address)
        if not one.file:
            words = "The server is running without a config file"
            raise vendor_error(FailureKind.PERMANENT, words)
        self._send(f"keep {address}", lambda: self._keep(one))

    def meet(self, address: str, member: Member) -> None:
        one = self._reached(address)
        self._send(f"meet {address}", lambda: self._meet(one))

    def importing(self, address: str, slots: Sequence[int], source: str) -> None:
        one = self._reached(address)
        self._send("importing", lambda: self._importing(one, slots, source))

    def migrating(self, address: str, slots: Sequence[int], target: str) -> None:
        one = self._reached(address)
        self._send("migrating", lambda: self._migrating(one, slots, target))

    def keys_in(self, address: str, slots: Sequence[int], count: int) -> Sequence[Sequence[bytes]]:
        one = self._reached(address)
        return [tuple(one.keys.get(slot, ())[:count]) for slot in slots]

    def move_keys(self, address: str, to: str, member: Member, keys: Sequence[bytes]) -> None:
        source, target = self._reached(address), self._reached(to)
        self._send("move_keys", lambda: self._move(source, target, keys))

    def assign(self, address: str, slots: Sequence[int], owner: str) -> None:
        one = self._reached(address)
        self._send("assign", lambda: self._assign(one, slots, owner))

    # ---- What happens at the nodes ----

    def count(self, one: FakeNode) -> int:
        return sum(len(keys) for keys in one.keys.values())

    def by_id(self, node: str) -> FakeNode:
        return next(each for each in self.nodes.values() if each.id == node)

    def owned(self, address: str) -> list[int]:
        one = self.nodes[address]
        return [slot for slot, owner in enumerate(one.owners) if owner == one.id]

    def give(self, address: str, slots: Sequence[int]) -> None:
        """All nodes believe that a node owns some slots."""
        for slot in slots:
            for each in self.nodes.values():
                each.owners[slot] = self.nodes[address].id

    def _set(self, one: FakeNode, name: str, value: str) -> None:
        if name == "maxmemory":
            one.maxmemory = int(value)
        else:
            one.policy = value

    def _keep(self, one: FakeNode) -> None:
        one.kept = (one.maxmemory, one.policy)

    def _meet(self, one: FakeNode) -> None:
        self._meets.append((self.clock.time() + self.handshake_s, one.address))

    def _importing(self, one: FakeNode, slots: Sequence[int], source: str) -> None:
        for slot in slots:
            if one.owners[slot] == one.id:
                words = f"I'm already the owner of hash slot {slot}"
                raise vendor_error(FailureKind.PERMANENT, words)
            one.coming[slot] = source

    def _migrating(self, one: FakeNode, slots: Sequence[int], target: str) -> None:
        for slot in slots:
            if one.owners[slot] != one.id:
                words = f"I'm not the owner of hash slot {slot}"
                raise vendor_error(FailureKind.PERMANENT, words)
            one.leaving[slot] = target

    def _move(self, source: FakeNode, target: FakeNode, keys: Sequence[bytes]) -> None:
        for slot, there in source.keys.items():
            moved = [key for key in there if key in keys]
            if moved:
                assert source.leaving[slot] == target.id
                assert target.coming[slot] == source.id
                source.keys[slot] = [key for key in there if key not in moved]
                had = target.keys.setdefault(slot, [])
                had += [key for key in moved if key not in had]

    def _assign(self, one: FakeNode, slots: Sequence[int], owner: str) -> None:
        for slot in slots:
            if one.id != owner and one.keys.get(slot):
                words = f"Can't assign hashslot {slot} to a different node while I still hold keys"
                raise vendor_error(FailureKind.PERMANENT, words)
            old, one.owners[slot] = one.owners[slot], owner
            one.coming.pop(slot, None)
            one.leaving.pop(slot, None)
            if one.id == owner and old != owner:
                self._tell(slot, old, owner)

    def _tell(self, slot: int, old: str, owner: str) -> None:
        for each in self.nodes.values():
            if each.id != old:
                each.owners[slot] = owner
        self._news.append((self.clock.time() + self.gossip_s, old, slot, owner))

    def _send(self, name: str, effect: Callable[[], object]) -> None:
        self.writes.send(name, effect, self.clock.time())

    def _reached(self, address: str) -> FakeNode:
        now = self.clock.time()
        self.writes.land(now)
        heard = [each for each in self._news if each[0] <= now]
        self._news = [each for each in self._news if each[0] > now]
        for _, old, slot, owner in heard:
            self.by_id(old).owners[slot] = owner
            self.by_id(old).leaving.pop(slot, None)
        for each in [one for one in self._meets if one[0] <= now]:
            self._meets.remove(each)
            joining = self.nodes[each[1]]
            joining.joined = True
            joining.owners = list(next(iter(self.nodes.values())).owners)
        one = self.nodes[address]
        if one.away is not None:
            raise one.away
        return one

    def _members(self, seen_by: FakeNode, known: Sequence[FakeNode]) -> tuple[Member, ...]:
        ranges: dict[str, list[tuple[int, int]]] = {}
        first = 0
        for owner, row in groupby(seen_by.owners):
            last = first + sum(1 for _ in row) - 1
            ranges.setdefault(owner, []).append((first, last))
            first = last + 1
        return tuple(
            Member(
                each.id,
                each.address,
                1,
                frozenset({"slave" if each.primary else "master"}),
                each.primary,
                tuple(ranges.get(each.id, ())),
            )
            for each in known
        )


def three_and_a_new_one(clock: FakeClock) -> FakeNodes:
    """Three primaries with keys, a replica of the first, and an empty node that is alone."""
    made = FakeNodes(clock)
    for number in range(5):
        address = f"10.0.0.{number + 1}:6379"
        made.nodes[address] = FakeNode(address, f"{number + 1}" * 40)
    thirds = (range(5461), range(5461, 10923), range(10923, SLOTS))
    primaries = list(made.nodes)[:3]
    for address, slots in zip(primaries, thirds, strict=True):
        made.give(address, slots)
        for slot in slots[-40:]:
            made.nodes[address].keys[slot] = [f"key:{slot}:{each}".encode() for each in range(3)]
    copy, alone = list(made.nodes.values())[3:]
    copy.primary = made.nodes[primaries[0]].id
    copy.keys = {slot: list(keys) for slot, keys in made.nodes[primaries[0]].keys.items()}
    alone.joined, alone.owners = False, [""] * SLOTS
    return made


def nearly_even(clock: FakeClock) -> FakeNodes:
    """The same once the fourth has joined, and lacks the last hundred of its share."""
    made = three_and_a_new_one(clock)
    fourth = made.nodes["10.0.0.5:6379"]
    fourth.joined = True
    fourth.owners = list(made.nodes["10.0.0.1:6379"].owners)
    for address, slots in (
        ("10.0.0.1:6379", range(4096)),
        ("10.0.0.2:6379", range(5461, 5461 + 4096)),
        ("10.0.0.3:6379", range(10923, 10923 + 4096 + 100)),
    ):
        for slot in made.owned(address):
            if slot not in slots:
                made.give(fourth.address, [slot])
                made.nodes[address].keys.pop(slot, None)
    third = made.nodes["10.0.0.3:6379"]
    third.keys = {slot: [f"key:{slot}".encode()] for slot in made.owned(third.address)[-60:]}
    return made
