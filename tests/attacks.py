"""Attacks on a web process: `python -m tests.attacks NAME PORT` goes on until it is ended.

Each runs in a process of its own, so that it takes no time from whoever measures beside it. It
prints `begun` once it is under way. Whatever it sends goes to the loopback address.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

TOKEN = "test-token-not-real"
PATH = "/webhooks/alertmanager"
PAUSE_S = 0.005
"""Between two pieces of one connection: an attack needs no processor of its own to succeed."""


def one_byte_chunks(port: int, connections: int = 1, *headers: str) -> None:
    """A body of 1-byte chunks without end, at about a megabyte a second for each connection."""
    piece = b"1\r\nx\r\n" * 1_000
    head = _head("Transfer-Encoding: chunked", *headers)
    _on_each(connections, lambda: _send_for_ever(port, head, piece))


def many_one_byte_chunks(port: int) -> None:
    """The same fifty times."""
    one_byte_chunks(port, 50)


def one_byte_chunks_of_a_known_sender(port: int) -> None:
    """The same by fifty connections that show the secret, so that their bodies are read."""
    one_byte_chunks(port, 50, f"Authorization: Bearer {TOKEN}")


def pipelined(port: int) -> None:
    """Requests without a secret and without a body, one after the other, on four connections."""
    piece = _head("Content-Length: 0") * 50
    _on_each(4, lambda: _send_for_ever(port, b"", piece))


def half_heads(port: int) -> None:
    """1,010 connections that send half a head; whatever is closed is opened again."""
    held = [_half_head(port) for _ in range(1_010)]
    _begun()
    while True:
        time.sleep(PAUSE_S)
        for number, each in enumerate(held):
            if _is_closed(each):
                each.close()
                held[number] = _half_head(port)
                time.sleep(PAUSE_S)


def large_bodies(port: int) -> None:
    """Thirty notifications of nearly 16 MiB at once, again and again, by a known sender."""
    ignored = "x" * (16 * 1024 * 1024 - 1_000)
    body = json.dumps({"version": "4", "alerts": [], "ignored": ignored}).encode()
    head = _head(f"Content-Length: {len(body)}", f"Authorization: Bearer {TOKEN}")
    _on_each(30, lambda: _send_once(port, head + body))


def ungrouped_alerts(port: int) -> None:
    """100,000 alerts in one notification without group labels, 7.3 MB, by a known sender."""
    alerts = ",".join(
        f'{{"status":"firing","labels":{{"alertname":"A{n:06}"}},"startsAt":"2026-01-01T00:00:00Z"}}'
        for n in range(100_000)
    )
    _begun()
    _send_alerts(port, alerts)


def unreadable_alerts(port: int) -> None:
    """80,000 alerts in one notification that are all empty, 240 kB, by a known sender, again and
    again."""
    _begun()
    while True:
        with suppress(OSError):
            _send_alerts(port, ",".join(["{}"] * 80_000))


def _send_alerts(port: int, alerts: str) -> None:
    body = f'{{"version":"4","groupLabels":{{}},"alerts":[{alerts}]}}'.encode()
    head = _head(f"Content-Length: {len(body)}", f"Authorization: Bearer {TOKEN}")
    _send_once(port, head + body)


ATTACKS: dict[str, Callable[[int], None]] = {
    each.__name__: each
    for each in (
        one_byte_chunks,
        many_one_byte_chunks,
        one_byte_chunks_of_a_known_sender,
        pipelined,
        half_heads,
        large_bodies,
        ungrouped_alerts,
        unreadable_alerts,
    )
}


def _head(*headers: str) -> bytes:
    lines = (f"POST {PATH} HTTP/1.1", "Host: runbookd", "Content-Type: application/json", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _begun() -> None:
    print("begun", flush=True)  # noqa: T201 - what the parent waits for


def _on_each(connections: int, attack: Callable[[], None]) -> None:
    def again() -> None:
        while True:
            # The server may close a connection at any time: then there is another.
            with suppress(OSError):
                attack()
            time.sleep(PAUSE_S)

    for _ in range(connections):
        threading.Thread(target=again, daemon=True).start()
    _begun()
    threading.Event().wait()


def _send_for_ever(port: int, head: bytes, piece: bytes) -> None:
    with _connected(port) as connection:
        threading.Thread(target=_read_all, args=(connection,), daemon=True).start()
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(PAUSE_S)


def _send_once(port: int, request: bytes) -> None:
    with _connected(port) as connection:
        connection.sendall(request)
        connection.recv(65_536)


def _read_all(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(65_536):
            pass


def _half_head(port: int) -> socket.socket:
    connection = _connected(port)
    with suppress(OSError):
        connection.sendall(_head("Content-Length: 0")[:60])
    return connection


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4_096), most))
    ATTACKS[sys.argv[1]](int(sys.argv[2]))
