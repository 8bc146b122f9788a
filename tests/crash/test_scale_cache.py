"""A worker killed at points of scale_cache, which waits long: the cluster is resized once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand
from tests.crash.taking_up import crashes, restarted
from tests.databases import Databases
from tests.fakes.clusters import CLUSTER

pytestmark = pytest.mark.crash

RUN = "cache.up.1"
RULES = f"""\
targets:
  cache:
    kind: valkey
    cluster: {CLUSTER}
    sizes: [db-s-1vcpu-1gb, db-s-1vcpu-2gb]
rules:
  - name: full
    match: ['alertname="Cache Is Full"']
    action: scale_cache
    target: cache
    cooldown: 30m
"""
SLOW_S = 500.0
"""Seconds of a resize that ends when the test says so. For a hundredth of them it is not seen."""
FAILPOINTS = ("after:resize", "during:await_online", "done:await_online")


@pytest.mark.spread
def test_killed_around_its_write_and_while_it_waits_it_resizes_the_cluster_once(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    def crash(stand: Stand, failpoint: str) -> None:
        waits = failpoint == "during:await_online"
        stand.slow_down(SLOW_S if waits else 1.0)
        stand.fire("Cache Is Full")
        restarted(stand, failpoint)
        if waits:
            stand.end_resize()
        stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
        assert stand.runs() == {RUN: "succeeded"}, stand.report()
        cluster = stand.state()["valkey"][CLUSTER]
        assert (cluster["size"], cluster["ordered"]) == ("db-s-1vcpu-2gb", None), stand.report()
        assert len(stand.write_list()) == 1, stand.report()

    ended = crashes(databases, tmp_path, FAILPOINTS, crash, rules=RULES)
    for failpoint, one in ended.items():
        with subtests.test(killed=failpoint):
            one.result()
