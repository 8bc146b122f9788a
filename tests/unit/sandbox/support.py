"""A sandbox for tests: either in memory with a clock moved by hand, or served over real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from service.sandbox.app import create_app
from service.sandbox.config import SandboxConfig
from service.sandbox.server import make_server

APP, DROPLET, PROJECT = "app-quizmentor", 101, "quizmentorquizmentor"
TOKEN = "test-token-not-real"
START = 1_800_000_000.0


class HandClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Sandbox:
    """The application in memory, its clock in the test's hand; actions take 10 s."""

    def __init__(self, **settings: Any) -> None:
        self.clock = HandClock()
        config = SandboxConfig(**{"action_seconds": 10.0, "rate_limits": False} | settings)
        app = create_app(config, self.clock)
        app.testing = True
        self.client = app.test_client()

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.open(path, method=method, json=body, headers=headers)

    def state(self) -> Any:
        return self.call("GET", "/_sandbox/state").json

    def calls(self) -> Any:
        return self.call("GET", "/_sandbox/calls").json

    def load(self, **load: Any) -> None:
        assert self.call("POST", "/_sandbox/load", load).status_code == 200

    def api(self) -> Any:
        return self.state()["apps"][APP]["components"]["api"]

    def droplet(self) -> Any:
        return self.state()["droplets"][str(DROPLET)]

    def project(self) -> Any:
        return self.state()["supabase"][PROJECT]

    def act(self, kind: str, **fields: Any) -> TestResponse:
        body = {"type": kind, **fields}
        return self.call("POST", f"/digitalocean/v2/droplets/{DROPLET}/actions", body)

    def done(self, kind: str, **fields: Any) -> None:
        """Take a droplet action and wait for its end."""
        assert self.act(kind, **fields).status_code == 201
        self.clock.pass_by(10)

    def spec(self) -> Any:
        return self.call("GET", f"/digitalocean/v2/apps/{APP}").json["app"]["spec"]  # type: ignore[index]

    def put(self, spec: Any) -> TestResponse:
        return self.call("PUT", f"/digitalocean/v2/apps/{APP}", {"spec": spec})

    def scaled(self, **component: Any) -> TestResponse:
        """Put the app's own spec back with these fields of its component changed."""
        spec = self.spec()
        spec["services"][0] |= component
        return self.put(spec)

    def metrics(self) -> dict[str, float]:
        """Each sample of /metrics by its name with labels, as in the text."""
        lines = self.client.get("/metrics").text.splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in samples}


@dataclass(frozen=True)
class Served:
    """A sandbox on loopback."""

    url: str

    def state(self) -> Any:
        return httpx.get(f"{self.url}/_sandbox/state").json()

    def calls(self) -> Any:
        return httpx.get(f"{self.url}/_sandbox/calls").json()

    def fault(self, **fault: Any) -> None:
        assert httpx.post(f"{self.url}/_sandbox/faults", json=fault).status_code == 201


@contextmanager
def without_proxies() -> Iterator[None]:
    """The SDKs would send loopback calls through a proxy of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        yield


@contextmanager
def served(clock: Callable[[], float] = time.time, **settings: Any) -> Iterator[Served]:
    """A sandbox served as the product serves it; its actions are over at the next look."""
    config = SandboxConfig(**{"action_seconds": 0.0} | settings)
    server = make_server(create_app(config, clock), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with without_proxies():
            yield Served(f"http://127.0.0.1:{server.port}")
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
