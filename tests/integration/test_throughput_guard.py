"""A guard against getting slower: a short form of the benchmark, against the floor in the same run.

The machine may be slow or busy, so nothing is compared with a figure, only with the floor, in
turn; and a machine that is busy in the wrong moment gets another chance, which a slower service
would not profit from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.parts.storms import compared
from benchmarks.workbench import Options, Workbench
from benchmarks.wrk import Receiver, Storm
from tests.programs import require

pytestmark = pytest.mark.guard

MARGIN = 0.7
"""Of the documented ratio: what lies between a busy machine and a mistake."""

CHANCES = 3
ROUNDS = 5
CONNECTIONS = 16
SECONDS = 2
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"


def documented(what: str) -> float:
    """The ratio to the floor that docs/performance.md has under "The guard"."""
    found = re.search(
        rf"^\| guarded: {re.escape(what)} \| ([0-9.]+) \|",
        DOCUMENT.read_text("utf-8"),
        re.MULTILINE,
    )
    assert found, f"docs/performance.md has no line for {what!r} under The guard"
    return float(found[1])


@pytest.fixture(scope="module")
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    require("wrk", "wrk")
    with Workbench(Options()) as bench:
        yield bench.floor(), bench.runbookd().receiver


@pytest.mark.parametrize(("what", "unique"), [("new alerts", True), ("repeats", False)])
def test_a_storm_is_taken_no_slower_than_documented(
    receivers: tuple[Receiver, Receiver], what: str, unique: bool
) -> None:
    floor, ours = receivers
    bound = MARGIN * documented(what)
    storm = Storm(CONNECTIONS, SECONDS, unique=unique)
    ratios = []
    for _ in range(CHANCES):
        found = compared([floor, ours], storm, ROUNDS)
        assert found[ours.name].failed == 0, "every notification is answered with 2xx"
        ratios.append(found[ours.name].per_second / found[floor.name].per_second)
        if ratios[-1] >= bound:
            return
    pytest.fail(f"{what}: {ratios} times the floor, and not {bound:.2f} in any of {CHANCES} tries")
