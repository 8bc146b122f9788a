"""`runbookd levels`, as it is printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.domain.levels.told import levels_told
from service.rulebook import load_rulebook
from tests.unit.cli.commandline import CommandLine
from tests.unit.rulebook_files import ENV, PACK


class Seasons:
    """A reader that knows the shipped rules with their seasons."""

    def levels(self, at: float | None, days: int) -> dict[str, Any]:
        assert at is not None
        book = load_rulebook([PACK, PACK.parent / "seasons.yml"], ENV)
        return levels_told(book.levels, book.hash, at, days)


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
