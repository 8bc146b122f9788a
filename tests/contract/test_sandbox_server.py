"""The sandbox as a server: connections, faults on the socket, signals, Prometheus' own check."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.sandbox.app import create_app
from service.sandbox.config import SandboxConfig
from service.sandbox.server import make_server
from tests.processes import free_port
from tests.programs import require
from tests.unit.sandbox.support import APP, DROPLET, TOKEN, Served, served

ROOT = Path(__file__).parents[2]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
APP_PATH = f"/digitalocean/v2/apps/{APP}"
ACTIONS = f"/digitalocean/v2/droplets/{DROPLET}/actions"
PROGRAM = """
import sys
from service.sandbox.config import SandboxConfig
from service.sandbox.server import serve
serve(SandboxConfig(), "127.0.0.1", int(sys.argv[1]))
"""


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served(rate_limits=False) as one:
        yield one


def connection(sandbox: Served) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)


def test_a_connection_stays_open_for_call_after_call(sandbox: Served) -> None:
    one = connection(sandbox)
    one.connect()
    opened = one.sock
    for path in (APP_PATH, "/_sandbox/state", "/nothing/at/all", "/metrics"):
        one.request("GET", path, headers=HEADERS)
        one.getresponse().read()
        assert one.sock is opened
    one.close()


def test_two_hundred_open_connections_are_held_beside_each_other(sandbox: Served) -> None:
    many = [connection(sandbox) for _ in range(200)]
    for _ in range(2):
        for one in many:
            one.request("GET", "/healthz")
        assert {one.getresponse().read() for one in many} == {b'{"status":"ok"}\n'}
    for one in many:
        one.close()


def test_a_chunked_body_is_read_and_the_next_call_starts_clean(sandbox: Served) -> None:
    one = connection(sandbox)
    for _ in range(2):
        one.request(
            "POST", "/_sandbox/load", body=iter([b'{"rps"', b": 360}"]), encode_chunked=True
        )
        assert one.getresponse().read().startswith(b'{"rps":360')
    one.close()


def test_a_body_too_large_is_refused_without_being_read(sandbox: Served) -> None:
    one = connection(sandbox)
    one.putrequest("POST", "/pagerduty/v2/enqueue")
    one.putheader("Content-Length", str(10**9))
    one.endheaders()
    answer = one.getresponse()
    # What was not read would otherwise be taken for the next request.
    assert (answer.status, answer.getheader("Connection")) == (413, "close")
    one.close()


@pytest.mark.parametrize(("drop", "status"), [("before", "active"), ("after", "off")])
def test_a_dropped_call_ends_without_a_byte_of_answer(
    sandbox: Served, drop: str, status: str
) -> None:
    sandbox.fault(vendor="digitalocean", path="/v2/droplets/*/actions", drop=drop)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{sandbox.url}{ACTIONS}", headers=HEADERS, json={"type": "power_off"})
    assert sandbox.state()["droplets"][str(DROPLET)]["status"] == status


def test_a_client_whose_time_is_up_finds_the_write_done(sandbox: Served) -> None:
    sandbox.fault(vendor="digitalocean", method="POST", latency_s=2)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{sandbox.url}{ACTIONS}", headers=HEADERS, json={"type": "power_off"}, timeout=0.3
        )
    assert sandbox.state()["droplets"][str(DROPLET)]["status"] == "off"


def test_of_two_actions_at_once_one_is_refused() -> None:
    with served(action_seconds=3600.0, rate_limits=False) as sandbox:

        def act(_: int) -> int:
            body = {"type": "power_off"}
            return httpx.post(f"{sandbox.url}{ACTIONS}", headers=HEADERS, json=body).status_code

        with ThreadPoolExecutor(16) as pool:
            seen = list(pool.map(act, range(16)))
    assert sorted(seen) == [201] + [422] * 15


def test_a_port_in_use_is_an_error_for_the_caller_to_tell() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            make_server(create_app(SandboxConfig()), "127.0.0.1", port)


def _started(port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz")
        except httpx.ConnectError:
            assert process.poll() is None, "the sandbox ended before it served"
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise AssertionError("the sandbox did not serve within 30 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_even_with_connections_open(number: signal.Signals) -> None:
    port = free_port()
    process = _started(port)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as kept_alive:
            kept_alive.get("/healthz")
            process.send_signal(number)
            said, _ = process.communicate(timeout=10)
        assert (process.returncode, said) == (0, b"")
    finally:
        process.kill()


def test_prometheus_own_tool_can_read_the_metrics(sandbox: Served) -> None:
    promtool = require("promtool", "prometheus")
    exposed = httpx.get(f"{sandbox.url}/metrics")
    assert exposed.headers["content-type"].startswith("text/plain; version=0.0.4")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=exposed.content, capture_output=True, check=False
    )
    complaints = checked.stderr.decode() + checked.stdout.decode()
    assert "error" not in complaints.lower().replace("http_request_errors", "")
    # Its one piece of advice is to use seconds; the runbook's thresholds are in milliseconds.
    advice = [line for line in complaints.splitlines() if "milliseconds" not in line]
    assert advice == []
