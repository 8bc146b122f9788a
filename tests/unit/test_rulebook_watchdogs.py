"""Watchdogs in a rule file."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.watchdogs import Watchdog
from tests.unit.rulebook_files import GOOD, load, told


def test_a_watchdog_has_its_own_time_or_ten_minutes(tmp_path: Path) -> None:
    book = load(tmp_path, GOOD + "watchdogs:\n  Watchdog: {}\n  Dead man: {absent: 1h}\n")
    assert book.watchdogs == {
        "Watchdog": Watchdog("Watchdog", 600.0),
        "Dead man": Watchdog("Dead man", 3_600.0),
    }


def test_rules_with_another_watchdog_are_other_rules_and_without_any_the_same(
    tmp_path: Path,
) -> None:
    plain = load(tmp_path, GOOD)
    ten = load(tmp_path, GOOD + "watchdogs: {Watchdog: {absent: 10m}}\n")
    said = load(tmp_path, GOOD + "watchdogs: {Watchdog: {}}\n")
    longer = load(tmp_path, GOOD + "watchdogs: {Watchdog: {absent: 20m}}\n")
    assert ten.hash == said.hash
    assert len({plain.hash, ten.hash, longer.hash}) == 3
    assert plain.hash == load(tmp_path, GOOD).hash


@pytest.mark.parametrize(
    ("watchdogs", "said"),
    [
        ("Watchdog", "watchdogs must be a mapping of alerts' names"),
        ("{}", "watchdogs must be a mapping of alerts' names"),
        ("{Watchdog: 10m}", "Watchdog must be a mapping, such as {absent: 10m}."),
        ("{Watchdog: {absent: 10}}", "absent must be a duration such as 10m, not 10."),
        ("{Watchdog: {absent: ten}}", "absent: 'ten' is not a duration; write it as 90s"),
        ("{Watchdog: {absent: 1m}}", "absent must be 2 min to 1 day, not 1m:"),
        ("{Watchdog: {absent: 2d}}", "absent must be 2 min to 1 day, not 2d:"),
        ("{Watchdog: {absnt: 10m}}", "unknown key absnt; did you mean absent?"),
        ("{' ': {}}", "an alert's name has 1 to 200 characters."),
    ],
)
def test_what_is_wrong_of_a_watchdog_is_said_with_its_line(
    tmp_path: Path, watchdogs: str, said: str
) -> None:
    (error,) = told(tmp_path, f"{GOOD}watchdogs: {watchdogs}\n")
    line = len(GOOD.splitlines()) + 1
    assert said in error
    assert error.startswith(f"1.yml:{line}: ")


def test_two_files_that_differ_about_a_watchdog_are_refused(tmp_path: Path) -> None:
    other = "watchdogs: {Watchdog: {absent: 20m}}\n"
    (error,) = told(tmp_path, GOOD + "watchdogs: {Watchdog: {}}\n", other)
    assert "another file says something else of Watchdog." in error
