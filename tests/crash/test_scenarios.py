"""The shipped scenarios with real workers on the sandbox; and workers that are killed at random
moments while a scenario goes on."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from service.domain.decisions.approval import APPROVED
from service.domain.people import Person, Role
from tests.crash.stand import SHIPPED_LEASE_S, Stand, a_stand
from tests.databases import Databases
from tests.processes import ROOT
from tests.redis_servers import EMBEDDED, RedisServer, executable
from tests.stack import APP

pytestmark = pytest.mark.crash

ZONE = "5eed0000000000000000000000000c0d"
FILES = ("quizmentor", "cache", "cdn", "database", "static", "scenarios")
ADA = Person("ada", frozenset({Role.ADMIN}), frozenset({"devops", "finance"}))
FINN = Person("finn", frozenset(), frozenset({"finance"}))
ENTRIES = {f"cache:{number}": "x" for number in range(20)}
SESSION = {"session:1": "me"}
KEPT: dict[Any, Any] = {"strategy": "standard", "ttl": "300", "everything": "false"}
SETTINGS = "runbookd:cache-settings"


def shipped() -> str:
    """The shipped files as one, with the bounds that the target of the database needs."""
    whole: dict[str, Any] = {}
    for name in FILES:
        text = (ROOT / "rules" / f"{name}.yml").read_text(encoding="utf-8")
        for key, value in yaml.safe_load(text.replace("${CLOUDFLARE_ZONE_ID}", ZONE)).items():
            if isinstance(value, list):
                whole.setdefault(key, []).extend(value)
            elif isinstance(value, dict):
                whole.setdefault(key, {}).update(value)
            else:
                whole[key] = value
    whole["targets"]["database"]["replicas"] = {"max": 2, "regions": ["us-east-1"]}
    return yaml.safe_dump(whole, sort_keys=False)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[RedisServer]:
    """The application's cache, with a session in it."""
    server = RedisServer(executable(EMBEDDED), tmp_path / "cache")
    server.start()
    server.client.mset({**ENTRIES, **SESSION})
    server.client.hset(SETTINGS, mapping=KEPT)
    yield server
    server.stop()


@pytest.fixture
def stand(tmp_path: Path, databases: Databases, cache: RedisServer) -> Iterator[Stand]:
    """The shipped scenarios. The application's PostgreSQL is not to be reached."""
    with (
        databases.borrowed() as url,
        a_stand(tmp_path, url, rules=shipped(), APP_CACHE_URL=cache.url) as made,
    ):
        yield made


def started(stand: Stand, name: str, *, plan: bool = False, by: Person = ADA) -> str:
    return stand.people.scenarios.start(by, name, "a test", plan_only=plan).run


def state(stand: Stand, run: str) -> str:
    return str(stand.people.scenarios.one(run)["state"])


def comes_to(stand: Stand, run: str, *states: str) -> dict[str, str]:
    """The states of its steps, once the scenario is in one of these. All of it takes minutes on a
    busy machine, so only one that stands still has failed."""
    while state(stand, run) not in states:
        before = done_so_far(stand)
        what = f"{run} to go on, or to be {' or '.join(states)}"
        stand.wait_for(partial(_has_gone_on, stand, run, states, before), what)
    return {each["id"]: each["state"] for each in stand.people.scenarios.one(run)["steps"]}


def done_so_far(stand: Stand) -> tuple[Any, ...]:
    """How many steps of runs are over, and how each scenario and each run is."""
    query = sa.text("SELECT count(*) FROM run_steps WHERE ended_at IS NOT NULL")
    with stand.stores.engine.connect() as connection:
        steps = connection.execute(query).scalar_one()
    told = [each["state"] for each in stand.people.scenarios.all(10)["runs"]]
    return steps, told, stand.runs()


def _has_gone_on(stand: Stand, run: str, states: tuple[str, ...], before: tuple[Any, ...]) -> bool:
    return state(stand, run) in states or done_so_far(stand) != before


def api(stand: Stand) -> tuple[int, str]:
    component = stand.state()["apps"][APP]["components"]["api"]
    return component["instances"], component["size"]


def settings(cache: RedisServer) -> dict[str, str]:
    found: Any = cache.client.hgetall(SETTINGS)
    return {name.decode(): value.decode() for name, value in found.items()}


def keys(cache: RedisServer) -> set[str]:
    return {key.decode() for key in cache.client.scan_iter(count=1_000)}


def approve_what_waits(stand: Stand) -> bool:
    """Approve each step that asks; whether one did."""
    waiting = [each for each in stand.people.approvals(10) if each["state"] == "waiting"]
    for each in waiting:
        stand.people.decide(ADA, each["id"], APPROVED, "it is needed")
    return bool(waiting)


@pytest.mark.long
def test_viral_growth_as_it_is_shipped_ends_with_exactly_what_it_says_and_is_taken_back(
    stand: Stand, cache: RedisServer
) -> None:
    stand.worker(lease_s=SHIPPED_LEASE_S)
    planned = started(stand, "viral-growth", plan=True)
    comes_to(stand, planned, "planned")
    plan = {each["id"]: each for each in stand.people.scenarios.one(planned)["steps"]}
    assert plan["out"]["to"] == "10 × professional-m"
    assert (plan["out"]["dollars"], plan["database"]["dollars"]) == (476.0, 101.0)
    assert "away for about 2 minutes" in plan["database"]["downtime"]
    assert "need Small" in plan["replicas"]["reason"]
    assert stand.writes() == {}

    run = started(stand, "viral-growth")
    comes_to(stand, run, "waiting")
    stand.people.scenarios.sign(ADA, run, "devops", "the plan is right")
    stand.people.scenarios.sign(FINN, run, "finance", "it is worth it")
    stand.people.scenarios.decide(ADA, run, APPROVED)
    for _ in range(2):
        stand.wait_for(lambda: approve_what_waits(stand) or state(stand, run) == "active", "asking")
    steps = comes_to(stand, run, "active")
    assert set(steps.values()) == {"done"}, stand.report()
    assert api(stand) == (10, "professional-m")
    assert settings(cache) == {"strategy": "aggressive", "ttl": "3600", "everything": "true"}
    assert keys(cache) == {*ENTRIES, *SESSION, SETTINGS}
    zone = stand.state()["cloudflare"][ZONE]
    assert "questions" in str(zone["rules"])

    stand.people.scenarios.undo(ADA, run)
    comes_to(stand, run, "undone")
    assert api(stand) == (2, "professional-xs")
    assert settings(cache) == KEPT
    assert stand.state()["cloudflare"][ZONE]["rules"] == []
    assert stand.writes()["update_app"] == 2


@pytest.mark.spread
def test_the_emergency_goes_on_without_slack_and_two_vendors_and_says_what_did_not_work(
    stand: Stand, cache: RedisServer
) -> None:
    stand.fault(vendor="slack", status=503)
    stand.fault(vendor="spaces", status=403, times=100)
    stand.worker(lease_s=SHIPPED_LEASE_S)
    run = started(stand, "emergency")
    steps = comes_to(stand, run, "active")
    failed = {name for name, state in steps.items() if state == "failed"}
    assert failed == {"queries", "flags", "static"}
    assert api(stand) == (20, "professional-l")
    assert settings(cache) == {"strategy": "maximum", "ttl": "7200", "everything": "true"}
    assert keys(cache) == {*SESSION, SETTINGS}
    assert any(key.endswith(f"{run}.teams.1") for key in stand.incidents()), "all hands are paged"
    stand.clear_faults()
    stand.wait_for(
        lambda: any("Scenario emergency" in each for each in stand.announcements()),
        "Slack to be told late",
    )
    stand.people.scenarios.undo(ADA, run)
    comes_to(stand, run, "undone")
    assert api(stand) == (2, "professional-xs")
    assert settings(cache) == KEPT


SEEDS = range(1, 7)
"""Each is other moments at which workers are killed; each takes about 20 s on each database."""

RUSH = """\
targets:
  api:
    kind: app_platform
    app: "${API_APP_ID}"
    component: api
    replicas: {min: 2, max: 10}
    sizes: [professional-xs, professional-s, professional-m]
  app-cache: {kind: cache, prefixes: ["cache:"]}
rules:
  - {name: cpu, match: [alertname=CPU], action: horizontal_scale, target: api, cooldown: 10m}
scenarios:
  rush:
    steps:
      - id: cache
        action: set_cache_strategy
        target: app-cache
        to: {strategy: aggressive}
        undo: restore
      - id: out
        action: set_capacity
        target: api
        to: {replicas: 8, size: professional-m}
        after: [cache]
        undo: restore
      - id: flush
        action: flush_cache
        target: app-cache
        with: {prefixes: ["cache:"]}
        after: [out]
        undo: none
"""


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_moments_a_scenario_does_each_step_once_and_takes_it_back_once(
    databases: Databases, tmp_path: Path, cache: RedisServer, seed: int
) -> None:
    chance = random.Random(seed)
    with (
        databases.borrowed() as url,
        a_stand(tmp_path, url, rules=RUSH, APP_CACHE_URL=cache.url) as stand,
    ):
        run = started(stand, "rush")
        killed_until(stand, chance, run, "done")
        assert api(stand) == (8, "professional-m"), stand.report()
        assert settings(cache)["strategy"] == "aggressive"
        assert keys(cache) == {*SESSION, SETTINGS}
        stand.people.scenarios.undo(ADA, run)
        killed_until(stand, chance, run, "undone")
        assert api(stand) == (2, "professional-xs"), stand.report()
        assert settings(cache) == KEPT
        assert stand.writes()["update_app"] == 2, stand.report()
        expected = ("cache.1", "out.1", "flush.1", "out.back.1", "cache.back.1")
        assert stand.runs().keys() == {f"{run}.{each}" for each in expected}


def killed_until(stand: Stand, chance: random.Random, run: str, end: str) -> None:
    """Kill six workers, each at any moment of its life; the seventh lives."""
    for _ in range(6):
        worker = stand.worker()
        until = time.monotonic() + chance.uniform(0.3, 3.0)
        stand.wait_for(partial(_is_past, until), "the moment")
        if worker.is_alive():
            worker.send(signal.SIGKILL)
        worker.join(10)
    stand.worker(lease_s=SHIPPED_LEASE_S)
    comes_to(stand, run, end)


def _is_past(moment: float) -> bool:
    return time.monotonic() > moment
