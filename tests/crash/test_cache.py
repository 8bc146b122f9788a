"""A worker killed at points of the actions on the application's cache, which is a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand, a_stand
from tests.crash.taking_up import restarted
from tests.databases import Databases
from tests.redis_servers import EMBEDDED, RedisServer, executable

pytestmark = pytest.mark.crash

RULES = """\
targets:
  app-cache: {kind: cache, prefixes: ["cache:"]}
rules:
  - name: spike
    match: ['alertname="Viral Spike"']
    continue: true
    action: set_cache_strategy
    target: app-cache
    with: {strategy: maximum}
    cooldown: 10m
  - name: wrong
    match: ['alertname="Wrong Answers"']
    action: flush_cache
    target: app-cache
    with: {prefixes: ["cache:"]}
    cooldown: 10m
"""
ENTRIES = {f"cache:{number}": "x" for number in range(1_500)}
SESSIONS = {f"session:{number}": "me" for number in range(500)}
CRASHES = (
    ("Viral Spike", "app-cache.up.1", "after:replace_settings"),
    ("Wrong Answers", "app-cache.out.1", "after:unlink"),
)


@pytest.mark.spread
def test_killed_around_its_writes_and_taken_up_it_sets_once_and_flushes_the_rest(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    cache = RedisServer(executable(EMBEDDED), tmp_path / "cache")
    cache.start()
    for alert, run, failpoint in CRASHES:
        cache.client.flushall()
        cache.client.mset({**ENTRIES, **SESSIONS})
        home = tmp_path / run
        home.mkdir()
        with (
            subtests.test(killed=failpoint),
            databases.borrowed() as url,
            a_stand(home, url, rules=RULES, APP_CACHE_URL=cache.url) as stand,
        ):
            crash(stand, alert, run, failpoint)
            left = {key.decode() for key in cache.client.scan_iter(count=1_000)}
            if run.endswith(".out.1"):
                assert left == SESSIONS.keys()
            else:
                assert left == {*ENTRIES, *SESSIONS, "runbookd:cache-settings"}
                assert cache.client.hget("runbookd:cache-settings", "ttl") == b"7200"
    cache.stop()


def crash(stand: Stand, alert: str, run: str, failpoint: str) -> None:
    stand.fire(alert)
    restarted(stand, failpoint)
    stand.wait_for(lambda: stand.workflows()[run] == "SUCCESS", "the run's workflow to end")
    assert stand.runs() == {run: "succeeded"}, stand.report()
