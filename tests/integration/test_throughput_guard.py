"""A guard against getting slower: a short form of the benchmark, beside the floor in the same run.

Two things are guarded. The rate beside the floor's may not fall below what was promised. It depends
on the machine: the floor waits for its disk, and we compute. So its bound is low. The processor
time of one notification beside the floor's hardly depends on the machine, and a busy neighbour does
not change it. So its bound is close to the documented ratio. A slow moment gets another chance,
which a slower service would not profit from.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.parts.cost import CONNECTIONS, blow_and_cost
from benchmarks.processes import MeasuredProcess
from benchmarks.workbench import Options, Workbench
from benchmarks.wrk import Receiver, Storm, blow
from tests.programs import require

pytestmark = pytest.mark.guard

MARGIN = 1.4
"""Times the documented cost: what lies between a busy machine and a mistake."""

CHANCES = 3
ROUNDS = 5
SECONDS = 2
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Measured:
    """Ours divided by the floor's: answers a second, and processor time of one answer."""

    rate: float
    cost: float


@dataclass(frozen=True, slots=True)
class Pair:
    """The floor and our service, each with the process that serves it."""

    floor: tuple[Receiver, MeasuredProcess]
    ours: tuple[Receiver, MeasuredProcess]

    def compared(self, storm: Storm) -> Measured:
        """By the medians of some rounds in turn, after one short storm each to warm them up."""
        for receiver, _ in (self.floor, self.ours):
            blow(receiver, Storm(storm.connections, 1, unique=storm.unique))
        rounds = [self._round(storm) for _ in range(ROUNDS)]
        return Measured(
            rate=statistics.median(each.rate for each in rounds),
            cost=statistics.median(each.cost for each in rounds),
        )

    def _round(self, storm: Storm) -> Measured:
        floor, floor_cost = blow_and_cost(*self.floor, storm)
        ours, our_cost = blow_and_cost(*self.ours, storm)
        assert ours.failed == 0, "every notification is answered with 2xx"
        return Measured(ours.per_second / floor.per_second, our_cost / floor_cost)


def documented(what: str) -> Measured:
    """The least rate and the measured cost that docs/performance.md has under "The guard"."""
    found = re.search(
        rf"^\| guarded: {re.escape(what)} \| ([0-9.]+) \| ([0-9.]+) \|",
        DOCUMENT.read_text("utf-8"),
        re.MULTILINE,
    )
    assert found, f"docs/performance.md has no line for {what!r} under The guard"
    return Measured(rate=float(found[1]), cost=float(found[2]))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    require("wrk", "wrk")
    with Workbench(Options()) as bench:
        floor, service = bench.floor(), bench.runbookd()
        assert service.web is not None
        yield Pair((floor, bench.started[floor.name]), (service.receiver, service.web))


@pytest.mark.parametrize(("what", "unique"), [("new alerts", True), ("repeats", False)])
def test_a_storm_is_taken_as_fast_as_promised_and_as_cheaply_as_documented(
    pair: Pair, what: str, unique: bool
) -> None:
    bound = documented(what)
    most = MARGIN * bound.cost
    seen = []
    for _ in range(CHANCES):
        found = pair.compared(Storm(CONNECTIONS, SECONDS, unique=unique))
        seen.append(f"{found.rate:.2f} times its rate at {found.cost:.2f} times its cost")
        if found.rate >= bound.rate and found.cost <= most:
            return
    pytest.fail(
        f"{what}, beside the floor: {'; '.join(seen)}. Wanted: a rate of at least {bound.rate:.2f} "
        f"and a cost of at most {most:.2f}."
    )
