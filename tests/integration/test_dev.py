"""`runbookd dev` as a person runs it: in one terminal, with free ports, until Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.processes import ROOT, Process, free_port, wait_until

PATIENCE_S = 90.0
Json = dict[str, Any]


class Dev:
    """One `runbookd dev` with its own ports and home."""

    def __init__(self, home: Path, log: Path, **environment: str) -> None:
        self.port, self.sandbox_port = free_port(), free_port()
        self.home = home
        self.environment = {
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "SANDBOX_ACTION_SECONDS": "0.2",
            "RUNBOOKD_HOME": str(home),
            **environment,
        }
        command = [sys.executable, "-m", "service.cli", "dev"]
        self.process = Process("dev", command, log, self.environment)

    @property
    def output(self) -> str:
        return self.process.log.read_text(encoding="utf-8")

    def start(self) -> None:
        self.process.start()
        ready = wait_until(
            lambda: "runbookd is ready" in self.output or self.process.exit_status is not None,
            PATIENCE_S,
        )
        assert ready, self.output
        assert self.process.exit_status is None, self.output
        # The last line of the banner.
        assert wait_until(lambda: "runbookd runs" in self.output, PATIENCE_S), self.output

    def ends(self) -> int:
        """Wait for its end; its exit status."""
        assert wait_until(lambda: self.process.exit_status is not None, PATIENCE_S), self.output
        status = self.process.exit_status
        assert status is not None
        return status

    def curl(self) -> str:
        """The command of the banner that posts the example alert."""
        lines = [line.strip() for line in self.output.splitlines() if "/webhooks/" in line]
        (found,) = [line for line in lines if line.startswith("curl")]
        return found

    def instances(self) -> int:
        state = httpx.get(f"http://127.0.0.1:{self.sandbox_port}/_sandbox/state").json()
        return int(state["apps"]["app-quizmentor"]["components"]["api"]["instances"])

    def slack(self) -> str:
        """The messages as Slack shows them: those of a thread below the first."""
        state = httpx.get(f"http://127.0.0.1:{self.sandbox_port}/_sandbox/state").json()
        first, *thread = state["slack"]["messages"]
        header, text, links, fields, context = first["blocks"]
        pairs = [each["text"].replace("*", "").replace("\n", " ") for each in fields["fields"]]
        lines = [header["text"]["text"], text["text"]["text"], _texts(links), " · ".join(pairs)]
        lines.append(_texts(context))
        return "\n".join([*lines, *(f"  └ {each['text']}" for each in thread)])

    def ended(self) -> dict[str, str]:
        """The runs that are over, with their status."""
        over = [each for each in self.runs() if each["status"] not in ("queued", "running")]
        return {each["id"]: each["status"] for each in over}

    def runs(self) -> list[Json]:
        page = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/runs").json()
        items: list[Json] = page["items"]
        return items


def _texts(block: Json) -> str:
    texts = [block["text"]] if "text" in block else block["elements"]
    return "\n".join(each["text"] for each in texts)


def readme_sample() -> str:
    """What README.md shows of Slack."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("Slack's side of it")[1].split("```")[1].strip()


def masked(text: str) -> str:
    """Text without what differs each time: addresses, ids, times and figures."""
    text = re.sub(r"<?https?://[^>\s]+>?", "ADDRESS", text)
    text = re.sub(r"\ba-([0-9a-f]{24}|…)", "a-ID", text)
    text = re.sub(r"\b[0-9a-f]{8}(…|(-[0-9a-f]{4}){3}-[0-9a-f]{12})", "ID", text)
    return re.sub(r"rules [0-9a-f]{12}|\d+", "N", text)


@contextmanager
def running(dev: Dev) -> Iterator[Dev]:
    try:
        dev.start()
        yield dev
    finally:
        dev.process.stop()


def children_of(pid: int) -> set[int]:
    """All descendants of a process, by their ids."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    found: set[int] = set()
    while more := {c for c, p in parents.items() if p in {pid, *found} and c not in found}:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


@pytest.mark.parametrize(
    "stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C in the terminal", "SIGTERM"]
)
def test_the_banners_curl_scales_the_sandbox_and_the_end_leaves_only_data(
    tmp_path: Path, stop: signal.Signals
) -> None:
    dev = Dev(tmp_path / "home", tmp_path / "log")
    with running(dev):
        answer = subprocess.run(
            ["bash", "-c", dev.curl()], capture_output=True, text=True, check=True, timeout=60
        )
        (decision,) = json.loads(answer.stdout)["decisions"]
        assert (decision["verdict"], decision["run"]) == ("act", "api.out.1")
        assert wait_until(lambda: dev.instances() == 3, PATIENCE_S), dev.output
        assert wait_until(lambda: dev.runs()[0]["status"] == "succeeded", PATIENCE_S), dev.output
        # The last edit comes after the run's end.
        assert wait_until(lambda: "Done" in dev.slack(), PATIENCE_S), dev.slack()
        assert masked(dev.slack()) == masked(readme_sample())

        children = children_of(dev.process.pid)
        assert len(children) >= 5, "redis, sandbox, web with its worker, and the worker"
        # A terminal sends Ctrl-C to its whole foreground group, SIGTERM comes to one process.
        if stop is signal.SIGINT:
            os.killpg(dev.process.pid, stop)
        else:
            os.kill(dev.process.pid, stop)
        assert dev.ends() == 0, dev.output
        assert alive(children) == set()
    assert "Traceback" not in dev.output

    again = Dev(tmp_path / "home", tmp_path / "log-again")
    with running(again):
        assert [run["id"] for run in again.runs()] == ["api.out.1"]
        repeat = subprocess.run(
            ["bash", "-c", again.curl()], capture_output=True, text=True, check=True, timeout=60
        )
        (decision,) = json.loads(repeat.stdout)["decisions"]
        assert (decision["verdict"], decision["guard"]) == ("hold", "cooldown")


def test_a_worker_that_is_killed_comes_back_and_a_second_copy_runs_beside(tmp_path: Path) -> None:
    first = Dev(tmp_path / "first", tmp_path / "log1")
    second = Dev(tmp_path / "second", tmp_path / "log2")
    with running(first), running(second):
        (worker,) = [
            pid for pid in children_of(first.process.pid) if command_of(pid).endswith("cli worker")
        ]
        os.kill(worker, signal.SIGKILL)
        assert wait_until(lambda: "worker was started again" in first.output, PATIENCE_S)
        assert "worker ended (killed by SIGKILL)" in first.output
        subprocess.run(["bash", "-c", first.curl()], check=True, timeout=60, capture_output=True)
        assert wait_until(lambda: first.instances() == 3, PATIENCE_S), first.output
        assert second.instances() == 2
        assert second.runs() == []

        third = Dev(tmp_path / "first", tmp_path / "log3")
        third.process.start()
        assert third.ends() == 1
        assert f"process {first.process.pid}" in third.output
        assert len(third.output.splitlines()) == 1


@pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_one_sentence_and_nothing_is_started(
    tmp_path: Path, variable: str
) -> None:
    with socket_server() as port:
        dev = Dev(tmp_path / "home", tmp_path / "log", **{variable: str(port)})
        dev.process.start()
        assert dev.ends() == 1
    (sentence,) = dev.output.splitlines()
    assert f"Port {port} is in use" in sentence
    assert f"set {variable} to another port" in sentence
    assert not (tmp_path / "home" / "redis.log").exists()


def test_when_it_is_killed_the_kernel_ends_its_children(tmp_path: Path) -> None:
    dev = Dev(tmp_path / "home", tmp_path / "log")
    with running(dev):
        children = children_of(dev.process.pid)
        os.kill(dev.process.pid, signal.SIGKILL)
        assert wait_until(lambda: not alive(children), PATIENCE_S), alive(children)


def test_rules_with_a_cache_get_a_server_for_it_that_is_not_runbookds_own(tmp_path: Path) -> None:
    rules = "rules/quizmentor.yml,rules/cache.yml"
    dev = Dev(tmp_path / "home", tmp_path / "log", RULES=rules)
    with running(dev):
        socket_ = tmp_path / "home" / "app-cache" / "redis.sock"
        with redis.Redis(unix_socket_path=str(socket_)) as cache:
            cache.mset({"cache:1": "x", "cache:2": "x", "session:1": "me"})
            for alert in ("Viral Traffic Spike", "Wrong Answers Cached"):
                post = dev.curl().replace("High CPU Usage", alert)
                subprocess.run(["bash", "-c", post], check=True, timeout=60, capture_output=True)
            assert wait_until(lambda: len(dev.ended()) == 2, PATIENCE_S), dev.output
            assert dev.ended() == {
                "app-cache.up.1": "succeeded",
                "app-cache.out.1": "succeeded",
            }, dev.output
            assert set(cache.keys()) == {b"session:1", b"runbookd:cache-settings"}
            assert cache.hget("runbookd:cache-settings", "ttl") == b"3600"
    assert "Traceback" not in dev.output


def test_a_wrong_rule_is_told_by_file_and_line_before_anything_starts(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("rules:\n  - name: a\n    match: []\n    action: investigate\n")
    dev = Dev(tmp_path / "home", tmp_path / "log", RULES=str(rules))
    dev.process.start()
    assert dev.ends() == 1
    assert f"{rules}:3: rule a: " in dev.output
    assert not (tmp_path / "home").exists()


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ").strip()


@contextmanager
def socket_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
