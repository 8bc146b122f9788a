"""A sign-off with real processes, each killed where it hurts most: the person's while it signs, and
the worker's while the scenario starts by that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.domain.people import Person, Role
from service.triggers.people.asked import Scope
from tests.crash.stand import SHIPPED_LEASE_S, Stand, a_stand
from tests.crash.test_scenarios import ADA, RUSH, api, cache, comes_to, settings, started, state
from tests.databases import Databases
from tests.processes import ROOT
from tests.redis_servers import RedisServer

pytestmark = pytest.mark.crash

__all__ = ["cache"]

WORST = RUSH.replace(
    "  rush:\n", "  rush:\n    emergency: true\n    signoff: {before: [devops, finance, cto]}\n"
)
OTTO = Person("otto", frozenset({Role.OPERATOR}))
LONG_S = 240.0
"""Seconds for a process that imports all of runbookd, on a machine that is busy."""


@pytest.fixture
def stand(tmp_path: Path, databases: Databases, cache: RedisServer) -> Iterator[Stand]:
    """An emergency that waits for one of three to sign, with the API locked."""
    with (
        databases.borrowed() as url,
        a_stand(tmp_path, url, rules=WORST, APP_CACHE_URL=cache.url) as made,
    ):
        made.people.put(ADA, "lock", Scope("api"), "2h", "a deployment")
        yield made


def sign(stand: Stand, run: str, where: str) -> int:
    """Sign in a process of its own; its exit code."""
    command = [sys.executable, "-m", "tests.crash.signer", run, where]
    environment = {**os.environ, **stand.environment}
    done = subprocess.run(command, cwd=ROOT, env=environment, timeout=LONG_S, check=False)
    return done.returncode


def rows(stand: Stand, query: str) -> int:
    with stand.stores.engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def signed(stand: Stand) -> tuple[int, int]:
    """How many sign-offs are kept, and how many the audit has."""
    kept = rows(stand, "SELECT count(*) FROM signoffs")
    return kept, rows(stand, "SELECT count(*) FROM audit WHERE verb = 'signoff'")


def locks(stand: Stand) -> int:
    return rows(stand, "SELECT count(*) FROM controls WHERE ended_at IS NULL")


def test_killed_while_signing_and_while_it_starts_an_emergency_begins_once(
    stand: Stand, cache: RedisServer
) -> None:
    run = started(stand, "rush", by=OTTO)
    assert state(stand, run) == "unsigned"
    first = stand.worker("during:make_way")
    assert sign(stand, run, "within") == -signal.SIGKILL
    assert signed(stand) == (0, 0), "a sign-off is kept with its audit, or not at all"
    assert (state(stand, run), locks(stand)) == ("unsigned", 1)
    assert sign(stand, run, "after") == -signal.SIGKILL
    assert signed(stand) == (1, 1)
    stand.wait_for(lambda: not first.is_alive(), "the worker to die while the emergency starts")
    assert first.exitcode == -signal.SIGKILL
    assert (state(stand, run), locks(stand)) == ("unsigned", 1), "nothing of the start is kept"
    stand.worker(lease_s=SHIPPED_LEASE_S)
    steps = comes_to(stand, run, "done")
    assert set(steps.values()) == {"done"}
    assert sign(stand, run, "nowhere") == 1, "who signs again is refused"
    assert signed(stand) == (1, 1)
    assert rows(stand, "SELECT count(*) FROM audit WHERE verb = 'make way'") == 1
    assert locks(stand) == 0
    assert api(stand) == (8, "professional-m"), stand.report()
    assert settings(cache)["strategy"] == "aggressive"
    assert stand.writes()["update_app"] == 1
