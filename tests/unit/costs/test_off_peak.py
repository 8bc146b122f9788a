"""Hours in which fewer instances are enough: what is proposed, and when nothing is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from service.domain.costs.off_peak import DAYS, Hour, quiet_hours
from tests.unit.rulebook_files import GOOD, load

MONDAY = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
NEW_YORK = "America/New_York"


def two_weeks(**cpu: float) -> list[Hour]:
    """As `two_weeks_in`, in UTC."""
    return two_weeks_in("UTC", cpu)


def two_weeks_in(zone: str, cpu: dict[str, float]) -> list[Hour]:
    """Hours of 14 days with 4 instances: CPU 50 %, but what is named by weekday class and hour,
    such as w22 (mon-fri) and e03 (sat-sun)."""
    found = []
    for number in range(DAYS * 24):
        at = MONDAY + number * 3_600
        local = datetime.fromtimestamp(at, ZoneInfo(zone))
        name = f"{'e' if local.weekday() > 4 else 'w'}{local.hour:02}"
        found.append(Hour(at, cpu.get(name, 50.0), 4.0))
    return found


NIGHT = {"w22": 20.0, "w23": 25.0, "w00": 18.0, "w01": 22.0}


def test_hours_that_follow_one_another_are_one_window_which_never_goes_over_midnight() -> None:
    """A window of mon-fri over midnight reaches into Saturday, and that may be busy."""
    found = quiet_hours(two_weeks(**NIGHT), "UTC", 1, Decimal(12))
    shown = [(each.days, each.start, each.end, each.cpu, each.count) for each in found]
    assert shown == [("mon-fri", 0, 2, 22.0, 2), ("mon-fri", 22, 24, 25.0, 2)]


def test_hours_that_need_other_counts_are_windows_of_their_own() -> None:
    found = quiet_hours(two_weeks(w03=5.0, w04=29.0), "UTC", 1, None)
    assert [(each.start, each.end, each.count) for each in found] == [(3, 4, 1), (4, 5, 2)]


def test_so_many_instances_are_proposed_that_cpu_stays_below_60_percent() -> None:
    (quiet,) = quiet_hours(two_weeks(w03=29.0), "UTC", 1, Decimal(12))
    assert (quiet.start, quiet.end, quiet.instances, quiet.count) == (3, 4, 4, 2)
    (quiet,) = quiet_hours(two_weeks(w03=5.0), "UTC", 1, None)
    assert (quiet.count, quiet.dollars_month) == (1, None)
    (quiet,) = quiet_hours(two_weeks(w03=5.0), "UTC", 3, None)
    assert quiet.count == 3, "never fewer than the target may have"


def test_what_it_saves_is_the_instances_for_those_hours_of_the_month() -> None:
    (quiet,) = quiet_hours(two_weeks(w03=29.0), "UTC", 1, Decimal(12))
    assert quiet.dollars_month is not None
    assert round(quiet.dollars_month, 4) == round(Decimal(12) * 2 / 24 * 5 / 7, 4)


def test_one_busy_day_is_enough_for_an_hour_not_to_be_quiet() -> None:
    hours = two_weeks(w03=5.0)
    busy = [each if each.at != MONDAY + 3 * 3_600 else Hour(each.at, 30.0, 4.0) for each in hours]
    assert quiet_hours(hours, "UTC", 1, None)
    assert quiet_hours(busy, "UTC", 1, None) == []


def test_hours_that_were_not_measured_are_not_quiet() -> None:
    hours = [each for each in two_weeks(w03=5.0) if each.at < MONDAY + 9 * 86_400]
    assert quiet_hours(hours, "UTC", 1, None) == []
    assert quiet_hours([], "UTC", 1, None) == []


def test_nothing_is_proposed_where_there_are_no_more_instances_than_that() -> None:
    assert quiet_hours(two_weeks(w03=5.0), "UTC", 4, None) == []


def test_hours_are_those_of_the_zone() -> None:
    (quiet,) = quiet_hours(two_weeks_in(NEW_YORK, {"w03": 5.0}), NEW_YORK, 1, None)
    assert quiet.start == 3


def test_a_whole_quiet_weekend_is_one_window() -> None:
    cpu = {f"e{hour:02}": 5.0 for hour in range(24)}
    (quiet,) = quiet_hours(two_weeks(**cpu), "UTC", 1, None)
    assert (quiet.days, quiet.start, quiet.end) == ("sat-sun", 0, 24)


@pytest.mark.parametrize("cpu", [{"w03": 5.0}, NIGHT, {f"e{hour:02}": 5.0 for hour in range(24)}])
def test_each_proposal_is_a_level_that_check_accepts(tmp_path: Path, cpu: dict[str, float]) -> None:
    found = quiet_hours(two_weeks_in(NEW_YORK, cpu), NEW_YORK, 2, None)
    assert found
    lines = "".join(f"  - {each.level('api', NEW_YORK)}\n" for each in found)
    book = load(tmp_path, f"{GOOD}levels:\n{lines}")
    assert len(book.levels.levels) == len(found)
