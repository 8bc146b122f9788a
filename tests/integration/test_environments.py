"""Each process finds in its environment only what it needs, by what the kernel says of it."""

from __future__ import annotations

from pathlib import Path

import psutil

from service.settings import ACCESS_SECRETS, SECRETS, VENDOR_SECRETS
from tests.integration.test_dev import Dev, children_of, running
from tests.stack import Options, Stack

BASIC = {"ALERTMANAGER_BASIC", "GRAFANA_BASIC"}
PLANTED = {
    **{name: f"{'user:' if name in BASIC else ''}planted-not-real" for name in SECRETS},
    "HEARTBEAT_URL": "http://127.0.0.1:1/planted-not-real",
}


def found_in(pid: int) -> set[str]:
    """The secrets in a process's environment, as it began and as /proc shows it."""
    return psutil.Process(pid).environ().keys() & SECRETS


def test_web_keeps_of_the_vendors_secrets_only_the_pagers_and_says_so(tmp_path: Path) -> None:
    with Stack(tmp_path, Options(redis="none", environment=PLANTED)) as stack:
        stack.migrate()
        process = stack.start_web()
        family = [process.pid, *children_of(process.pid)]
        assert len(family) == 2
        for pid in family:
            assert found_in(pid) == SECRETS - VENDOR_SECRETS
        said = process.log.read_text(encoding="utf-8")
    assert "vendor_secrets_dropped" in said
    assert "SLACK_BOT_TOKEN" in said
    assert "planted-not-real" not in said


def test_dev_gives_each_child_only_what_it_needs(tmp_path: Path) -> None:
    dev = Dev(tmp_path / "home", tmp_path / "log", **PLANTED)
    needed = {
        "sandbox": set(),
        "web": ACCESS_SECRETS,
        "worker": {"PROMETHEUS_TOKEN", "APP_CACHE_URL", "APP_DATABASE_URL", "CACHE_CLUSTER_URLS"},
    }
    with running(dev):
        for pid in children_of(dev.process.pid):
            command = psutil.Process(pid).cmdline()
            name = next((each for each in needed if each in command), "")
            of_web = "gunicorn" in " ".join(command)
            assert found_in(pid) == (ACCESS_SECRETS if of_web else needed.get(name, set())), command
