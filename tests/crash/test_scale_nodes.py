"""A worker killed in the middle of a slot of a real cluster, while clients read and write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import a_stand
from tests.crash.taking_up import restarted
from tests.databases import Databases
from tests.redis_clusters import KEYS, NEARLY, Clients, assert_nothing_is_lost, fill, nodes
from tests.redis_servers import EMBEDDED, executable

pytestmark = pytest.mark.crash

RUN = "cache-cluster.up.1"
RULES = """\
targets:
  cache-cluster: {kind: valkey_cluster}
rules:
  - name: full
    match: ['alertname="Cache Cluster Is Full"']
    action: scale_cache
    target: cache-cluster
    with: {shards: 4, eviction_policy: volatile_lru}
    cooldown: 30m
"""


def test_killed_in_the_middle_of_a_slot_and_taken_up_it_moves_the_rest_and_no_key_is_lost(
    databases: Databases, tmp_path: Path
) -> None:
    with (
        nodes(executable(EMBEDDED), tmp_path, 4) as cluster,
        databases.borrowed() as url,
        a_stand(tmp_path, url, rules=RULES, CACHE_CLUSTER_URLS=cluster.urls) as stand,
    ):
        cluster.join(NEARLY, {})
        fill(cluster.nodes[0], KEYS)
        with Clients(cluster) as clients:
            stand.fire("Cache Cluster Is Full")
            restarted(stand, "after:move_keys")
            stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
        assert stand.runs() == {RUN: "succeeded"}, stand.report()
        assert_nothing_is_lost(cluster, clients)
        for number in range(4):
            assert cluster.owners(number) == dict.fromkeys(range(4), 4096)
            assert cluster.nodes[number].setting("maxmemory-policy") == "volatile-lru"
