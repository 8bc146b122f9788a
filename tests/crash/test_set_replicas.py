"""A worker killed at points of set_replicas, which waits long: one replica, set up once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand
from tests.crash.taking_up import crashes, restarted
from tests.databases import Databases
from tests.stack import PROJECT

pytestmark = pytest.mark.crash

RUN = "database.out.1"
RULES = f"""\
targets:
  database:
    kind: supabase
    project: {PROJECT}
    sizes: [ci_small, ci_medium]
    replicas: {{max: 2, regions: [us-east-1]}}
rules:
  - name: many-readers
    match: ['alertname="Many Readers"']
    action: set_replicas
    target: database
    with: {{replicas: 1}}
    cooldown: 30m
"""
COMES_UP_S = 4.0
"""Seconds until a replica is healthy: longer than a worker's lease, so the next worker waits on."""
FAILPOINTS = ("before:setup_replica", "after:setup_replica", "during:await_replicas")


@pytest.mark.spread
def test_killed_around_its_write_and_while_it_waits_it_sets_up_one_replica(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    def crash(stand: Stand, failpoint: str) -> None:
        stand.slow_down(COMES_UP_S if failpoint.startswith("during") else 0.2)
        stand.resize_project("ci_small")
        stand.fire("Many Readers")
        restarted(stand, failpoint)
        stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
        assert stand.runs() == {RUN: "succeeded"}, stand.report()
        assert len(stand.replicas()) == 1, stand.report()

    for failpoint, ended in crashes(databases, tmp_path, FAILPOINTS, crash, rules=RULES).items():
        with subtests.test(killed=failpoint):
            ended.result()
