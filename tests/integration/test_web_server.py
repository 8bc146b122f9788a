"""The web process as it is run: gunicorn, our worker class, real sockets."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from service.store.database import open_engine
from service.web.webhooks import LARGE
from tests.databases import nobody_writes
from tests.integration.payloads import alert, notification
from tests.stack import TOKEN, Options, Stack

AM = "/webhooks/alertmanager"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
BODY = json.dumps(notification(alert())).encode()
LIMIT = 400_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(redis="none", environment={"MAX_BODY_BYTES": str(LIMIT)})
    with Stack(tmp_path_factory.mktemp("web"), options) as stack:
        stack.migrate()
        stack.start_web()
        yield stack


@pytest.fixture
def url(stack: Stack) -> str:
    return stack.web_urls["web"]


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield connection


def request(body: bytes, *headers: str) -> bytes:
    lines = [
        f"POST {AM} HTTP/1.1",
        "Host: runbookd",
        "Content-Type: application/json",
        f"Authorization: Bearer {TOKEN}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """The next answers on a connection: status and body of each."""
    found: list[tuple[int, bytes]] = []
    stream = connection.makefile("rb")
    for _ in range(count):
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        found.append((status, stream.read(length)))
    return found


def test_a_chunked_body_is_taken(url: str) -> None:
    pieces = iter([BODY[:100], BODY[100:]])
    response = httpx.post(f"{url}{AM}", content=pieces, headers=HEADERS)
    assert response.status_code == 200
    assert len(response.json()["decisions"]) == 1


def test_a_chunked_body_above_the_limit_is_413(url: str) -> None:
    pieces = iter([b" " * 50_000] * 9)
    response = httpx.post(f"{url}{AM}", content=pieces, headers=HEADERS)
    assert response.status_code == 413


def test_a_declared_body_above_the_limit_is_413(url: str) -> None:
    response = httpx.post(f"{url}{AM}", content=b" " * (LIMIT + 1), headers=HEADERS)
    assert response.status_code == 413
    assert "MAX_BODY_BYTES" in response.json()["error"]


def test_many_requests_on_one_connection_are_answered_in_order(url: str) -> None:
    with connected(url) as connection:
        for number in range(20):
            body = json.dumps(notification(alert(f"{number:016x}"))).encode()
            connection.sendall(request(body))
            ((status, said),) = answers(connection, 1)
            assert status == 200
            assert json.loads(said)["notification"].startswith("n-")


def test_requests_sent_at_once_on_one_connection_are_all_answered(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(request(BODY) + request(b"{") + request(BODY))
        assert [status for status, _ in answers(connection, 3)] == [200, 422, 200]


def test_a_connection_is_served_again_after_it_has_rested(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(request(BODY))
        assert answers(connection, 1)[0][0] == 200
        time.sleep(0.2)
        connection.sendall(request(BODY))
        assert answers(connection, 1)[0][0] == 200


def test_a_client_that_asks_for_the_end_of_the_connection_gets_it(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(request(BODY, "Connection: close"))
        whole = b"".join(iter(lambda: connection.recv(65536), b""))
        assert whole.startswith(b"HTTP/1.1 200")
        assert b"Connection: close" in whole


def test_a_body_that_is_refused_unread_does_not_spoil_the_next_request(url: str) -> None:
    with httpx.Client() as client:
        for _ in range(3):
            large = client.post(f"{url}{AM}", content=b" " * (LIMIT + 1), headers=HEADERS)
            assert large.status_code == 413
            assert client.post(f"{url}{AM}", content=BODY, headers=HEADERS).status_code == 200


def test_an_answer_without_a_body_is_sent_too(url: str) -> None:
    with httpx.Client() as client:
        for _ in range(3):
            response = client.head(f"{url}/healthz")
            assert (response.status_code, response.content) == (200, b"")


def test_a_sender_that_hangs_up_half_way_harms_nobody(url: str) -> None:
    for _ in range(20):
        with connected(url) as connection:
            connection.sendall(request(BODY)[:-50])
    assert httpx.post(f"{url}{AM}", content=BODY, headers=HEADERS).status_code == 200


def test_connections_that_send_nothing_keep_nobody_waiting(url: str) -> None:
    with ExitStack() as stack:
        for number in range(100):
            connection = stack.enter_context(connected(url))
            connection.sendall(request(BODY)[: 40 * (number % 5)])
        assert httpx.post(f"{url}{AM}", content=BODY, headers=HEADERS).status_code == 200


def test_a_stranger_is_refused_before_the_body_comes(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(request(BODY).replace(TOKEN.encode(), b"guess")[: -len(BODY)])
        assert answers(connection, 1)[0][0] == 401


def test_hundreds_of_alerts_are_taken_beside_small_notifications(url: str) -> None:
    alerts = [alert(fingerprint=f"{number:016x}") for number in range(1000)]
    large = json.dumps(notification(*alerts)).encode()
    assert LARGE < len(large) < LIMIT

    def post(body: bytes) -> int:
        answered = httpx.post(f"{url}{AM}", content=body, headers=HEADERS, timeout=60)
        assert answered.status_code == 200
        return len(answered.json()["decisions"])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(post, [large, BODY, large, BODY])) == [1000, 1, 1000, 1]


def test_many_connections_are_all_served(url: str) -> None:
    def several(client: httpx.Client) -> list[int]:
        posts = (client.post(f"{url}{AM}", content=BODY, headers=HEADERS) for _ in range(10))
        return [each.status_code for each in posts]

    with ThreadPoolExecutor(24) as pool:
        clients = [httpx.Client(timeout=30) for _ in range(24)]
        statuses = [status for found in pool.map(several, clients) for status in found]
        for client in clients:
            client.close()
    assert statuses == [200] * 240


def test_requests_that_wait_for_the_store_share_a_commit(stack: Stack, url: str) -> None:
    def figure(name: str) -> float:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name))

    before = figure("runbookd_admission_batch_notifications_count")
    engine = open_engine(stack.database_url)
    with ExitStack() as opened:
        with nobody_writes(engine):
            connections = [opened.enter_context(connected(url)) for _ in range(16)]
            for connection in connections:
                connection.sendall(request(BODY))
            assert httpx.get(f"{url}/healthz").status_code == 200, "by now all are read"
        assert [answers(each, 1)[0][0] for each in connections] == [200] * 16
    engine.dispose()
    commits = figure("runbookd_admission_batch_notifications_count") - before
    assert 1 <= commits < 16


def test_a_process_that_is_told_to_stop_answers_what_it_has_begun(stack: Stack) -> None:
    process = stack.start_web("leaving")
    url = stack.web_urls["leaving"]
    statuses: list[int] = []
    first = threading.Event()

    def storm() -> None:
        with httpx.Client(timeout=30) as client:
            for _ in range(2000):
                try:
                    answered = client.post(f"{url}{AM}", content=BODY, headers=HEADERS)
                except httpx.TransportError:
                    return
                statuses.append(answered.status_code)
                first.set()

    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert first.wait(20)
    process.terminate()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    process.stop()
    assert set(statuses) == {200}
    assert process.exit_status in {0, -signal.SIGTERM}
    assert "Traceback" not in Path(process.log).read_text()


def test_a_connection_that_rests_does_not_keep_a_process_from_ending(stack: Stack) -> None:
    process = stack.start_web("idle")
    with connected(stack.web_urls["idle"]) as connection:
        connection.sendall(request(BODY))
        assert answers(connection, 1)[0][0] == 200
        process.terminate()
        assert connection.recv(1) == b""
        process.stop()
    assert process.exit_status in {0, -signal.SIGTERM}
    assert "graceful timeout" not in process.log.read_text("utf-8")
