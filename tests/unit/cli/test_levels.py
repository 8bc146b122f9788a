"""`runbookd levels`, as it is printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.domain.levels.applied import Applied
from service.domain.levels.told import Acted, levels_told
from service.rulebook import load_rulebook
from tests.unit.cli.commandline import CommandLine
from tests.unit.levels.test_levels import at
from tests.unit.rulebook_files import ENV, PACK


class Seasons:
    """A reader that knows the shipped rules with their seasons."""

    def levels(self, at: float | None, days: int) -> dict[str, Any]:
        assert at is not None
        book = load_rulebook([PACK, PACK.parent / "seasons.yml"], ENV)
        return levels_told(book.levels, book.hash, at, days, self.acted(book.hash))

    def acted(self, rules_hash: str) -> Acted:
        """What workers have made of it."""
        return Acted()


class Acting(Seasons):
    """The same, where workers have acted and are held back now."""

    def acted(self, rules_hash: str) -> Acted:
        applied = Applied(
            applied_says="3 (aim 3 by office-hours)",
            applied_at=at("2026-08-31T07:00"),
            applied_run="api.level.7",
            waits="api is paused until 13:00Z by olga",
        )
        return Acted("ba9876543210", {("api", "replicas"): applied})


@pytest.fixture
def of_seasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.levels.open_reader", lambda *_: Seasons())
    monkeypatch.setenv("COLUMNS", "160")


@pytest.mark.usefixtures("of_seasons")
def test_it_says_what_holds_why_what_it_beat_and_when_it_changes(runbookd: CommandLine) -> None:
    said = runbookd("levels", "--at", "2026-08-31T12:00:00-04:00", "--days", "1")
    assert said.status == 0
    for part in (
        "api replicas: 3, at 2026-08-31 16:00:00Z",
        "aim 3 by office-hours",
        "ceiling 5 by summer",
        "Mon 2026-08-31 22:00 EDT",
        "2026-09-01 02:00:00Z",
        "Tue 2026-09-01 00:00 EDT",
        "floor 5 by september",
    ):
        assert part in said.out


@pytest.mark.usefixtures("of_seasons")
def test_before_any_worker_acts_that_is_said(runbookd: CommandLine) -> None:
    said = runbookd("levels", "--at", "2026-08-31T12:00:00-04:00", "--days", "1")
    assert "No worker has begun to act by levels." in said.out
    assert "applied" not in said.out


def test_it_says_what_was_applied_by_which_run_and_what_holds_a_level_back(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.cli.levels.open_reader", lambda *_: Acting())
    monkeypatch.setenv("COLUMNS", "160")
    said = runbookd("levels", "--at", "2026-08-31T12:00:00-04:00", "--days", "1")
    applied = "3 (aim 3 by office-hours), at 2026-08-31 11:00:00Z, by run api.level.7"
    for part in ("applied", applied, "waits", "api is paused until 13:00Z by olga"):
        assert part in said.out
    assert "The workers act by other rules, ba9876543210" in said.out


@pytest.mark.usefixtures("of_seasons")
def test_programs_get_the_same_as_json(runbookd: CommandLine) -> None:
    said = runbookd("levels", "--at", "2026-09-01T00:00:00-04:00", "--days", "1", "--json")
    (item,) = json.loads(said.out)["items"]
    assert (item["value"], item["least"], item["most"]) == (5, 5, 10)
    assert item["beat"] == [
        "aim 2 by office-hours (otherwise): it lies outside floor 5 by september"
    ]


@pytest.mark.usefixtures("of_seasons")
def test_more_days_than_can_be_shown_are_refused(runbookd: CommandLine) -> None:
    said = runbookd("levels", "--at", "2026-09-01", "--days", "1000")
    assert said.status == 2
    assert "ask for 1 to 400 days" in said.err
