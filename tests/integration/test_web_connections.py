"""How a connection ends, how long a sender may take, and which of gunicorn's settings count."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.integration.payloads import alert, notification
from tests.processes import wait_until
from tests.programs import require
from tests.stack import CONFIG, TOKEN, Options, Stack

AM = "/webhooks/alertmanager"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
BODY = json.dumps(notification(alert())).encode()
TOO_LARGE = b" " * (32 * 1024 * 1024)
"""Twice what is taken."""
SOON_S = 30.0
OPERATOR = "test-secret-of-an-operator"
PEOPLE = {"API_TOKENS": f"olga:operator:{OPERATOR}"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("web"), Options(redis="none", environment=PEOPLE)) as stack:
        stack.migrate()
        stack.start_web()
        yield stack


@pytest.fixture
def url(stack: Stack) -> str:
    return stack.web_urls["web"]


@contextmanager
def connected(url: str, timeout_s: float = SOON_S) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=timeout_s) as connection:
        yield connection


def head(length: int, token: str = TOKEN, path: str = AM, *headers: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: runbookd",
        "Content-Type: application/json",
        f"Authorization: Bearer {token}",
        f"Content-Length: {length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def to_the_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


# ---- A body that nobody reads ----


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_a_python_client_sees_413_for_a_body_that_it_sends_whole(url: str, connection: str) -> None:
    client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=SOON_S)
    client.request("POST", AM, body=TOO_LARGE, headers={**HEADERS, "Connection": connection})
    response = client.getresponse()
    assert response.status == 413
    assert b"MAX_BODY_BYTES" in response.read()


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_httpx_sees_413_for_a_body_that_it_sends_whole(url: str, connection: str) -> None:
    headers = {**HEADERS, "Connection": connection}
    answered = httpx.post(f"{url}{AM}", content=TOO_LARGE, headers=headers, timeout=SOON_S)
    assert answered.status_code == 413


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_curl_sees_413(url: str, tmp_path: Path, connection: str) -> None:
    curl = require("curl", "curl")
    (tmp_path / "body").write_bytes(TOO_LARGE)
    given = {**HEADERS, "Connection": connection}
    headers = [part for name, value in given.items() for part in ("-H", f"{name}: {value}")]
    command = [curl, "-sS", "--data-binary", f"@{tmp_path / 'body'}", *headers, f"{url}{AM}"]
    done = subprocess.run(command, capture_output=True, timeout=SOON_S, check=False)
    assert b"MAX_BODY_BYTES" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr


def test_a_client_that_writes_all_before_it_reads_sees_413_and_an_orderly_end(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(head(len(TOO_LARGE)) + TOO_LARGE)
        answered = to_the_end(connection)
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answered


def test_a_client_that_reads_while_it_writes_sees_413_long_before_it_has_written_all(
    url: str,
) -> None:
    """Go's client does so, and stops writing then."""
    with connected(url) as connection:
        connection.sendall(head(len(TOO_LARGE)) + TOO_LARGE[:100_000])
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
        connection.sendall(TOO_LARGE[:100_000])


def test_a_chunked_body_above_the_limit_is_413_and_not_a_reset(url: str) -> None:
    with connected(url) as connection:
        begin = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        connection.sendall(begin)
        with suppress(BrokenPipeError):
            connection.sendall((b"100000\r\n" + TOO_LARGE[: 1024 * 1024] + b"\r\n") * 32)
        assert to_the_end(connection).startswith(b"HTTP/1.1 413 ")


def test_a_stranger_sees_401_although_it_writes_its_body_first(url: str) -> None:
    body = b" " * 200_000
    with connected(url) as connection:
        connection.sendall(head(len(body), "guess") + body)
        answered = to_the_end(connection)
    assert answered.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in answered


def test_a_stranger_who_goes_on_sending_is_cut_off_soon(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(head(10**15, "guess"))
        assert wait_until(lambda: not can_send(connection, TOO_LARGE[:65_536]), 10)


def can_send(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except ConnectionError:
        return False
    return True


def test_a_request_that_is_no_http_is_told_so_although_more_follows(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n" + b" " * 20_000)
        assert to_the_end(connection).startswith(b"HTTP/1.1 400 ")


# ---- Deadlines ----


def test_a_head_that_is_sent_byte_by_byte_is_given_up_after_ten_seconds(url: str) -> None:
    with connected(url) as connection:
        began = time.monotonic()
        with suppress(ConnectionError):
            for byte in head(len(BODY)) * 10:
                connection.sendall(bytes([byte]))
                connection.settimeout(0.2)
                with suppress(TimeoutError):
                    if connection.recv(1) == b"":
                        break
        assert 8 < time.monotonic() - began < SOON_S


def test_a_stranger_that_sends_nothing_is_given_up_before_a_sender_that_rests(url: str) -> None:
    with connected(url) as stranger, connected(url) as sender:
        sender.sendall(head(len(BODY)) + BODY)
        assert sender.recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert stranger.recv(1) == b""
        sender.sendall(head(len(BODY)) + BODY)
        assert sender.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_head_that_is_too_large_is_refused(url: str) -> None:
    with connected(url) as connection:
        fields = [f"X-{number}: {'x' * 8_000}" for number in range(20)]
        connection.sendall(head(0, TOKEN, AM, *fields))
        assert to_the_end(connection).startswith(b"HTTP/1.1 431 ")


# ---- Strangers ----


def test_many_strangers_of_one_address_let_the_oldest_of_them_go_and_no_sender(url: str) -> None:
    with ExitStack() as opened, connected(url) as sender:
        sender.sendall(head(len(BODY)) + BODY)
        assert sender.recv(65_536).startswith(b"HTTP/1.1 200 ")
        strangers = [opened.enter_context(connected(url)) for _ in range(300)]
        for each in strangers:
            each.sendall(b"POST ")
        for oldest in strangers[:40]:
            assert is_ended(oldest)
        sender.sendall(head(len(BODY)) + BODY)
        assert sender.recv(65_536).startswith(b"HTTP/1.1 200 ")


def is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


# ---- What no header changes ----


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /webhooks", "PATH_INFO: /api/v1/alerts"])
def test_no_header_changes_the_path(url: str, header: str) -> None:
    with connected(url) as connection:
        asked = f"GET /webhooks/api/v1/alerts HTTP/1.1\r\nHost: runbookd\r\n{header}\r\n"
        connection.sendall(asked.encode() + b"Connection: close\r\n\r\n")
        assert to_the_end(connection).startswith(b"HTTP/1.1 404 ")


# ---- Bytes in flight ----


def test_large_bodies_beyond_64_mib_are_asked_to_come_later_and_small_ones_are_taken(
    stack: Stack,
) -> None:
    process = stack.start_web("flooded")
    url = stack.web_urls["flooded"]
    before = memory_mb(process.pid)
    ignored = "x" * (16 * 1024 * 1024 - 2_000)
    body = json.dumps(notification(alert(), ignored=ignored)).encode()

    def post(content: bytes) -> httpx.Response:
        return httpx.post(f"{url}{AM}", content=content, headers=HEADERS, timeout=90)

    with ThreadPoolExecutor(30) as pool:
        large = [pool.submit(post, body) for _ in range(30)]
        small = [post(BODY).status_code for _ in range(20)]
        answers = [each.result() for each in large]
    assert small == [200] * 20
    statuses = [each.status_code for each in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 4
    refused = next(each for each in answers if each.status_code == 503)
    assert refused.headers["Retry-After"] == "5"
    assert "send it again" in refused.json()["error"]
    assert post(body).status_code == 200, "there is room again"
    grown = memory_mb(process.pid, "VmHWM") - before
    assert grown < 300, grown


def memory_mb(pid: int, which: str = "VmRSS") -> float:
    """Of a process and its children, in MiB: now, or the most (VmHWM)."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if str(pid) in (lines["Pid"].strip(), lines["PPid"].strip()):
                total += int(lines[which].split()[0]) / 1024
    return total


# ---- gunicorn's own settings ----


@contextmanager
def serving(stack: Stack, name: str, arguments: str, config: str = CONFIG) -> Iterator[str]:
    process = stack.start_web(name, config=config, GUNICORN_CMD_ARGS=arguments)
    yield stack.web_urls[name]
    process.stop()


def test_a_process_that_has_served_max_requests_is_replaced_and_nothing_is_lost(
    stack: Stack,
) -> None:
    with serving(stack, "replaced", "--max-requests 50") as url:
        statuses = [
            httpx.post(f"{url}{AM}", content=BODY, headers=HEADERS, timeout=SOON_S).status_code
            for _ in range(60)
        ]
        log = stack.processes["replaced"].log
        assert wait_until(lambda: log.read_text().count("Booting worker") >= 2, SOON_S)
    assert statuses == [200] * 60


def test_the_access_log_has_a_line_for_each_request(stack: Stack, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serving(stack, "logged", f"--access-logfile {log}") as url:
        httpx.post(f"{url}{AM}", content=BODY, headers=HEADERS)
        assert wait_until(lambda: f'"POST {AM} HTTP/1.1" 200' in log.read_text(), SOON_S)


def test_the_hooks_around_a_request_are_called(stack: Stack, tmp_path: Path) -> None:
    config = tmp_path / "hooked.py"
    config.write_text(
        "from service.web.gunicorn_conf import *\n"
        "def pre_request(worker, req): print('before', req.path, flush=True)\n"
        "def post_request(worker, req, environ, resp): print('after', resp.status, flush=True)\n"
    )
    with serving(stack, "hooked", "", str(config)) as url:
        httpx.post(f"{url}{AM}", content=BODY, headers=HEADERS)
        log = stack.processes["hooked"].log
        assert wait_until(lambda: "after 200 OK" in log.read_text(), SOON_S)
        assert f"before {AM}" in log.read_text()


def test_the_limits_of_a_request_count(stack: Stack) -> None:
    arguments = "--limit-request-line 100 --limit-request-fields 8 --limit-request-field_size 200"
    with serving(stack, "limited", arguments) as url:
        assert httpx.get(f"{url}/{'x' * 100}").status_code == 414
        assert httpx.get(url, headers={"X-Long": "x" * 200}).status_code == 431
        many = {f"X-{number}": "x" for number in range(9)}
        assert httpx.get(url, headers=many).status_code == 431


def test_a_sender_may_rest_as_long_as_keepalive_says(stack: Stack) -> None:
    with serving(stack, "resting", "--keep-alive 1") as url, connected(url) as connection:
        connection.sendall(head(len(BODY)) + BODY)
        assert b"Connection: keep-alive" in connection.recv(65_536)
        assert connection.recv(1) == b""
    with serving(stack, "not-resting", "--keep-alive 0") as url, connected(url) as connection:
        connection.sendall(head(len(BODY)) + BODY)
        assert b"Connection: close" in to_the_end(connection)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--threads 4", "set WEB_THREADS instead"),
        ("--preload", "loaded by each worker process"),
        ("--worker-class gevent", "its own worker class"),
        ("--http2-cleartext upgrade", "only HTTP/1.1 is spoken"),
    ],
)
def test_a_setting_of_gunicorn_that_would_be_ignored_is_refused(
    stack: Stack, arguments: str, says: str
) -> None:
    name = f"refused-{arguments.split(maxsplit=1)[0].strip('-')}"
    process = stack.start_web(name, wait=False, GUNICORN_CMD_ARGS=arguments)
    assert wait_until(lambda: process.exit_status is not None, SOON_S)
    del stack.processes[name]
    assert says in process.tail()
    assert "Traceback" not in process.tail()


# ---- A body that comes after its head ----


def test_the_operator_api_reads_a_body_that_comes_after_its_head(url: str) -> None:
    body = json.dumps({"target": None, "for": "1m", "why": "late"}).encode()
    with connected(url) as connection:
        asked = head(len(body), OPERATOR, "/api/v1/pauses", "Connection: close")
        connection.sendall(asked.replace(b"Host: runbookd", b"Host: localhost"))
        # An answer to another request: the head was read before it.
        assert httpx.get(f"{url}/healthz").status_code == 200
        connection.sendall(body)
        assert to_the_end(connection).startswith(b"HTTP/1.1 201 ")


def test_the_operator_api_refuses_a_large_body_and_one_that_ends_too_soon(url: str) -> None:
    large = httpx.post(f"{url}/api/v1/pauses", content=b" " * 70_000, headers=HEADERS)
    assert (large.status_code, "larger than 65536 bytes" in large.text) == (413, True)
    with connected(url) as connection:
        connection.sendall(head(100, OPERATOR, "/api/v1/pauses") + b"{")
        connection.shutdown(socket.SHUT_WR)
        assert to_the_end(connection).startswith(b"HTTP/1.1 400 ")
