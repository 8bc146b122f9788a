"""The shipped seasons on five days of a school year, with the real store, the real provider and the
sandbox over HTTP; the clock is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine.levels import ASK_EVERY_S, LevelRound
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.rulebook import load_rulebook
from tests.databases import SqliteFiles
from tests.properties.installation import Installation, opened
from tests.unit.levels.test_levels import SEASONS, at
from tests.unit.rulebook_files import ENV, PACK
from tests.unit.sandbox.support import APP, TOKEN, Served, served


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served(rate_limits=False) as one:
        yield one


@pytest.fixture
def installed(sandbox: Served, tmp_path: Path) -> Iterator[Installation]:
    client = DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox.url}/digitalocean")
    book = load_rulebook([PACK, SEASONS], {**ENV, "API_APP_ID": APP})
    # The costs of the other targets, which are not there, are not known to a budget.
    policy = replace(book.policy, budget=None)
    book = replace(book, rules=(), targets={"api": book.targets["api"]}, policy=policy)
    with opened(SqliteFiles(tmp_path).fresh()) as engine:
        yield Installation(engine, book, {"app_platform": DigitalOceanApps(client)})


def replicas(sandbox: Served) -> int:
    return int(sandbox.state()["apps"][APP]["components"]["api"]["instances"])


def test_the_instances_follow_the_shipped_school_year(
    sandbox: Served, installed: Installation
) -> None:
    rounds = LevelRound(installed.parts)
    expected = {
        "2026-12-07T09:00": 10,  # finals: their floor is above office hours
        "2027-01-04T09:00": 3,  # no calendar: office hours, on a Monday
        "2027-01-09T09:00": 2,  # a Saturday
        "2027-05-03T03:00": 10,  # finals at night
        "2027-06-07T09:00": 3,  # summer: a ceiling of 5, reached a quarter at a time
    }
    seen = {}
    for when in expected:
        installed.clock.now = at(when) - 3600
        while installed.clock.now < at(when):
            installed.clock.now += 300
            for _ in range(2):
                installed.clock.now += ASK_EVERY_S
                rounds(True)
                installed.go_on()
        seen[when] = replicas(sandbox)
    assert seen == expected
    ends = installed.rows("SELECT status FROM runs")
    assert {status for (status,) in ends} == {"succeeded"}
    told = [each.title for each in installed.messenger.messages.values()]
    assert [title for title in told if title.startswith("New in the rules")] == [
        "New in the rules: api: replicas 2 → 10",
        "New in the rules: api: replicas 3 → 2",
        "New in the rules: api: replicas 10 → 8",
    ]
