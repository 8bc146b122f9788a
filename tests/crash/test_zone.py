"""A worker killed around each kind of write to a Cloudflare zone: each is one call of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand
from tests.crash.taking_up import crashes, restarted
from tests.databases import Databases
from tests.fakes.zones import ZONE

pytestmark = pytest.mark.crash

RULES = f"""\
targets:
  cdn:
    kind: cloudflare_zone
    zone: {ZONE}
    probe: https://quizmentor.app/assets/app.js
    origin: https://origin.quizmentor.app
    cache_levels: [basic, aggressive]
    cache_rules:
      rush:
        - {{name: questions, path: /api/questions, mode: cache, edge: 2h}}
rules:
  - name: level
    match: ['alertname="Wrong Pages"']
    action: set_cache_level
    target: cdn
    with: {{level: basic}}
    cooldown: 10m
  - name: rules
    match: ['alertname="Rush"']
    action: set_cache_rules
    target: cdn
    with: {{set: rush}}
    cooldown: 10m
  - name: purge
    match: ['alertname="Stale"']
    action: purge
    target: cdn
    with: {{prefixes: [quizmentor.app/assets/]}}
    cooldown: 10m
"""
CRASHES = {
    "after:set_cache_level": ("Wrong Pages", "cdn.up.1", "PATCH cache_level"),
    "after:set_cache_rules": ("Rush", "cdn.up.1", "PUT entrypoint"),
    "after:purge": ("Stale", "cdn.out.1", "POST purge_cache"),
}


@pytest.mark.spread
def test_killed_right_after_a_write_to_a_zone_and_taken_up_it_is_not_sent_again(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    def crash(stand: Stand, failpoint: str) -> None:
        alert, run, call = CRASHES[failpoint]
        stand.fire(alert)
        restarted(stand, failpoint)
        stand.wait_for(lambda: stand.workflows()[run] == "SUCCESS", "the run's workflow to end")
        assert stand.runs() == {run: "succeeded"}, stand.report()
        assert stand.zone_calls() == [call], stand.report()

    ended = crashes(databases, tmp_path, CRASHES, crash, rules=RULES)
    for failpoint, one in ended.items():
        with subtests.test(killed=failpoint):
            one.result()
