"""Load by wrk, the generator that costs least of the two cores that everything shares."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchmarkFailed

_SCRIPT = Path(__file__).with_name("alerts.lua")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notifications are posted to."""

    name: str
    url: str
    path: str = "/webhooks/alertmanager"
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class Storm:
    """What is sent: for how long (whole seconds), over how many connections, with what pauses."""

    connections: int
    seconds: float
    unique: bool = True
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one storm saw: answers with 2xx per second, latencies in ms, other answers."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int = 0


def start(receiver: Receiver, storm: Storm) -> subprocess.Popen[str]:
    """Begin a storm; `finish` waits for its end."""
    program = shutil.which("wrk")
    if program is None:
        raise BenchmarkFailed("wrk is not installed: apt-get install wrk")
    threads = min(2, storm.connections)
    command = [
        program,
        f"-t{threads}",
        f"-c{storm.connections}",
        f"-d{max(1, round(storm.seconds))}s",
    ]
    command += ["--timeout", "30s", "-s", str(_SCRIPT), receiver.url]
    environment = {
        "PATH": os.environ["PATH"],
        "URLPATH": receiver.path,
        "UNIQUE": str(int(storm.unique)),
        "DELAY_MS": str(storm.pause_ms),
        # Alerts of one run of wrk were never sent by another; repeats are the same in all.
        "RUN": secrets.token_hex(4) if storm.unique else "00000000",
    }
    if receiver.authorization:
        environment["AUTH"] = receiver.authorization
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen[str]) -> Sample:
    """Wait for the end of a storm that `start` began."""
    output, _ = process.communicate(timeout=1200)
    found = next((line for line in output.splitlines() if line.startswith("{")), None)
    if found is None:
        raise BenchmarkFailed(f"wrk said nothing that can be read:\n{output}")
    told = json.loads(found)
    kept = told["requests"] - told["failed"]
    return Sample(
        per_second=kept / (told["duration"] / 1e6),
        p50_ms=told["p50"] / 1000,
        p99_ms=told["p99"] / 1000,
        failed=told["failed"],
    )


def blow(receiver: Receiver, storm: Storm) -> Sample:
    """One storm, from its beginning to its end."""
    return finish(start(receiver, storm))
