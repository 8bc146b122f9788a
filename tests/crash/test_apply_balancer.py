"""A worker killed at points of apply_balancer: one file, put there once and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.stand import Stand
from tests.crash.taking_up import crashes, restarted
from tests.databases import Databases

pytestmark = pytest.mark.crash

RUN = "edge.out.1"
RULES = """\
targets:
  edge:
    kind: nginx
    file: /etc/nginx/conf.d/edge.conf
    servers: [{host: 10.0.0.11, port: 8080}, {host: 10.0.0.12, port: 8080}]
rules:
  - name: differs
    match: ['alertname="Balancer File Differs"']
    action: apply_balancer
    target: edge
    cooldown: 10m
"""
FAILPOINTS = ("after:write", "after:reload")


@pytest.mark.spread
def test_killed_around_its_writes_and_taken_up_it_writes_and_loads_the_file_once(
    databases: Databases, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    def crash(stand: Stand, failpoint: str) -> None:
        stand.fire("Balancer File Differs")
        restarted(stand, failpoint)
        stand.wait_for(lambda: stand.workflows()[RUN] == "SUCCESS", "the run's workflow to end")
        assert stand.runs() == {RUN: "succeeded"}, stand.report()
        assert stand.nginx_calls() == ["PUT /file", "POST /reload"], stand.report()

    ended = crashes(databases, tmp_path, FAILPOINTS, crash, rules=RULES)
    for failpoint, one in ended.items():
        with subtests.test(killed=failpoint):
            one.result()
