"""An account in memory, in which things lie unused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from service.ports.bills import DROPLET, SNAPSHOT, Resource
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes

DAY = 86_400.0
NEEDED = frozenset({"101"})
"""What the rules name as targets."""


@dataclass(slots=True)
class FakeAccount:
    """What is listed, in order. The snapshot of a droplet is listed `takes_s` after it was asked
    for, and the droplet is busy until then."""

    clock: FakeClock
    things: list[Resource] = field(default_factory=list)
    writes: Writes = field(default_factory=Writes)
    takes_s: float = 120.0
    _coming: list[tuple[float, Resource]] = field(default_factory=list)

    def add(self, kind: str, id_: str, days: float = 60.0, **facts: object) -> Resource:
        """Something that nobody uses."""
        made = Resource(
            kind,
            id_,
            **{  # type: ignore[arg-type]  # each has the type of its field
                "name": f"old-{id_}",
                "since": self.clock.time() - days * DAY,
                "used": False,
                **facts,
            },
        )
        self.things.append(made)
        return made

    def change(self, id_: str, **facts: object) -> None:
        """A person changes something in the control panel."""
        self.things = [
            replace(each, **facts)  # type: ignore[arg-type]  # each has the type of its field
            if each.id == id_
            else each
            for each in self.things
        ]

    def ids(self, kind: str = "") -> list[str]:
        return [each.id for each in self.listed(kind)] if kind else [e.id for e in self.things]

    def listed(self, kind: str) -> tuple[Resource, ...]:
        now = self.clock.time()
        self.writes.land(now)
        for made in [each for at, each in self._coming if at <= now]:
            self.things.append(made)
            self.change(made.of.partition(" ")[2], busy=False)
        self._coming = [(at, each) for at, each in self._coming if at > now]
        return tuple(each for each in self.things if each.kind == kind)

    def take_snapshot(self, kind: str, id_: str, name: str) -> None:
        def effect() -> None:
            now = self.clock.time()
            (thing,) = [each for each in self.things if (each.kind, each.id) == (kind, id_)]
            made = Resource(
                SNAPSHOT,
                f"s{id_}",
                name,
                gigabytes=thing.gigabytes or Decimal(1),
                since=now,
                of=f"{kind} {id_}",
            )
            if kind == DROPLET:
                self._coming.append((now + self.takes_s, made))
                self.change(id_, busy=True)
            else:
                self.things.append(made)

        self.writes.send(f"snapshot {id_}", effect, self.clock.time())

    def delete(self, kind: str, id_: str) -> None:
        def effect() -> None:
            self.things = [each for each in self.things if (each.kind, each.id) != (kind, id_)]

        self.writes.send(f"delete {id_}", effect, self.clock.time())
