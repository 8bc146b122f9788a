"""A simulated school year on the sandbox: the shipped seasons and an alert's rule, with the real
store, the real round of levels and the real provider over HTTP. One clock counts for all of it.

The numbers of `DAYS` were computed by hand from the rules; each has its sum beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from service.engine.levels import ASK_EVERY_S, LevelRound
from service.engine.returns import ReturnRound
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.rulebook import load_rulebook
from tests.databases import SqliteFiles
from tests.fakes.alerts import CPU, alert, delivery, resolved
from tests.properties.installation import Installation, opened
from tests.unit.levels.test_levels import NEW_YORK, SEASONS, at
from tests.unit.rulebook_files import ENV, PACK
from tests.unit.sandbox.support import APP, START, TOKEN, Served, served

STEP_S = 1_800.0
"""How often the worker of a chosen day makes its rounds, in simulated seconds."""
HOUR_S = 3_600.0
LEAD_S = 2 * HOUR_S
"""How long before a chosen day the play begins, so that the levels of that time hold."""
HOUR_DOLLARS = 12 / 730
"""One professional-xs for an hour: $12 a month of 730 hours (DigitalOcean's price list)."""


@dataclass(frozen=True)
class Day:
    """One chosen day: when the alert fires (from, to), and what was computed by hand of it."""

    fires: tuple[str, str] | None
    instance_hours: float
    dollars: float
    pages: int


DAYS = {
    # September: floor 5. The alert adds one at 10:00. It ends at 11:00, and the one is taken back
    # after half an hour of calm: 24 × 5 + 1.5.
    "2026-09-09": Day(("10:00", "11:00"), 121.5, 2.00, 0),
    # A Sunday of mid-terms, on which the clock goes back, so it has 25 hours: 25 × 8.
    "2026-11-01": Day(None, 200.0, 3.29, 0),
    # Finals: floor 10. The alert adds one above the target's max of 10, for the ceiling is 20, and
    # nobody is paged: 24 × 10 + 1.5.
    "2026-12-09": Day(("10:00", "11:00"), 241.5, 3.97, 0),
    # A Monday of which no calendar says anything: office hours 15 × 3, and the night 9 × 2.
    "2027-01-04": Day(None, 63.0, 1.04, 0),
    # A Monday in summer: 15 × 3 + 9 × 2. The alert adds one at 12:00 and one at 13:00. At 14:00 it
    # meets the ceiling of 5, and one page is sent. It ends at 15:00. One is taken back at 15:30,
    # the other at 16:00: 63 + 1 × 1 + 2.5 × 2 + 0.5 × 1.
    "2027-06-14": Day(("12:00", "15:00"), 69.5, 1.14, 1),
}


@dataclass
class Year:
    """The installation, the sandbox, and what was seen: instances by simulated time."""

    sandbox: Served
    installed: Installation
    client: httpx.Client
    seen: dict[float, int] = field(default_factory=dict)
    paged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.levels = LevelRound(self.installed.parts)
        self.returns = ReturnRound(self.installed.parts)

    def step(self, now: float) -> None:
        """A worker makes its rounds at one moment, and does all that there is to do."""
        self.installed.clock.now = now
        for late_s in (0.0, ASK_EVERY_S):
            self.installed.clock.now = now + late_s
            self.installed.rounds()
            self.levels(True)
            self.returns(True)
            self.installed.go_on()
        self.paged |= set(self.installed.pager.open)
        self.seen[now] = self.replicas

    def play(
        self,
        first: float,
        last: float,
        fires: tuple[float, float] | None = None,
        step_s: float = STEP_S,
    ) -> None:
        """The time from `first` until before `last`, with a look every `step_s` seconds."""
        now = first
        while now < last:
            self.installed.clock.now = now
            if fires is not None and fires[0] <= now < fires[1] and now % HOUR_S == 0:
                # Its sender says each hour that it still fires.
                self.installed.deliver(delivery(alert(CPU), at=now))
            if fires is not None and now == fires[1]:
                self.installed.deliver(delivery(resolved(CPU), at=now))
            self.step(now)
            now += step_s

    def play_day(self, name: str, day: Day) -> tuple[float, float, int]:
        """One day; its instance hours, its dollars and its pages."""
        first = at(f"{name}T00:00")
        last = at(f"{_after(name)}T00:00")
        fires = day.fires and (at(f"{name}T{day.fires[0]}"), at(f"{name}T{day.fires[1]}"))
        before = len(self.paged)
        self.play(first, last, fires)
        hours = sum(self.seen[each] for each in self.seen if first <= each < last) * STEP_S / HOUR_S
        return hours, round(hours * HOUR_DOLLARS, 2), len(self.paged) - before

    @property
    def replicas(self) -> int:
        state = self.client.get(f"{self.sandbox.url}/_sandbox/state").json()
        return int(state["apps"][APP]["components"]["api"]["instances"])


def _after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Year]:
    installed: list[Installation] = []
    with (
        # The sandbox reads the clock of the installation.
        served(
            lambda: installed[0].clock.now if installed else START, rate_limits=False
        ) as sandbox,
        opened(SqliteFiles(tmp_path).fresh()) as engine,
    ):
        client = DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox.url}/digitalocean")
        book = load_rulebook([PACK, SEASONS], {**ENV, "API_APP_ID": APP})
        # The costs of the other targets, which are not there, are not known to a budget.
        policy = replace(book.policy, budget=None)
        rules = tuple(
            replace(each, policy=replace(each.policy, budget=None))
            for each in book.rules
            if each.name == "high-cpu"
        )
        book = replace(book, rules=rules, targets={"api": book.targets["api"]}, policy=policy)
        installed.append(Installation(engine, book, {"app_platform": DigitalOceanApps(client)}))
        installed[0].busy(10.0)
        with httpx.Client() as control:
            yield Year(sandbox, installed[0], control)


def test_on_five_days_of_the_year_instances_dollars_and_pages_are_as_computed_by_hand(
    year: Year,
) -> None:
    found = {}
    for name, day in DAYS.items():
        year.play(at(f"{name}T00:00") - LEAD_S, at(f"{name}T00:00"))
        found[name] = year.play_day(name, day)
    assert found == {
        name: (day.instance_hours, day.dollars, day.pages) for name, day in DAYS.items()
    }


MONTHS = {
    "2026-09": 30 * 24 * 5,
    "2026-10": 31 * 24 * 8,
    "2026-11": (30 * 24 + 1) * 8,  # the clock goes back on the 1st
    "2026-12": 31 * 24 * 10,
    # Without a calendar: 63 on a day in the week (15 × 3 + 9 × 2), 48 on a day of a weekend.
    "2027-01": 21 * 63 + 10 * 48,
    "2027-02": 20 * 63 + 8 * 48,
    "2027-03": 23 * 63 + 8 * 48 - 2,  # the clock goes forward on a Sunday
    "2027-04": 22 * 63 + 8 * 48,
    "2027-05": 31 * 24 * 10,
    # The ceiling of 5 is reached a quarter at a time: 8, 6 and 5 in the first hours, in place of 2.
    "2027-06": 22 * 63 + 8 * 48 + (8 + 6 + 5 - 3 * 2),
    "2027-07": 22 * 63 + 9 * 48,
    "2027-08": 22 * 63 + 9 * 48,
}
"""The instance hours of each month, computed by hand."""


@pytest.mark.long
def test_over_a_whole_year_the_instance_hours_of_each_month_are_as_computed_by_hand(
    year: Year,
) -> None:
    """8,760 hours, each with two rounds. It took 49 minutes beside eight other builds on two cores,
    before windows skipped the days outside their dates."""
    year.play(at("2026-09-01T00:00"), at("2027-09-01T00:00"), step_s=HOUR_S)
    found: dict[str, int] = {}
    for moment, replicas in year.seen.items():
        month = f"{datetime.fromtimestamp(moment, ZoneInfo(NEW_YORK)):%Y-%m}"
        found[month] = found.get(month, 0) + replicas
    assert found == MONTHS
    assert not year.paged
