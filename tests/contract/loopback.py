"""A real HTTP server that does what it is told, for what no mock can show.

`responses` sees requests only, others see httpx only; a socket is seen by every SDK, and only a
socket can hang, hang up, or refuse.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_HANG_S = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Loopback:
    """Answers requests in the order told; the last behaviour stays for all that follow."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._script: deque[Callable[[BaseHTTPRequestHandler], None]] = deque()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answers(
        self,
        status: int,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        after_s: float = 0.0,
    ) -> None:
        """Answer after a while, with JSON, or with `body` as it is when it is bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        fields = {"Content-Type": kind, "Content-Length": str(len(raw))} | dict(headers or {})

        def behave(handler: BaseHTTPRequestHandler) -> None:
            self._released.wait(after_s)
            handler.send_response(status)
            for name, value in fields.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(raw)

        self._script.append(behave)

    def hangs(self) -> None:
        """Take the request and never answer (bounded)."""

        def behave(handler: BaseHTTPRequestHandler) -> None:
            self._released.wait(LONGEST_HANG_S)
            handler.close_connection = True

        self._script.append(behave)

    def hangs_up(self) -> None:
        """Take the request and close the connection without an answer."""

        def behave(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)

        self._script.append(behave)

    def breaks_off(self, status: int = 200) -> None:
        """Promise a longer body than is sent, then close."""

        def behave(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"half": ')
            handler.close_connection = True

        self._script.append(behave)

    def trickles(self, pause_s: float) -> None:
        """Send a body that never ends, piece by piece, each within any read time-out."""

        def behave(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            handler.close_connection = True
            while not self._released.wait(pause_s):
                handler.wfile.write(b" ")

        self._script.append(behave)

    def serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                loopback.seen.append(
                    Seen(self.command, self.path, dict(self.headers.items()), body)
                )
                script = loopback._script
                behave = script.popleft() if len(script) > 1 else script[0]
                behave(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Nothing: the tests look at `seen`."""

        return Handler


@contextmanager
def loopback() -> Iterator[Loopback]:
    server = Loopback()
    server.serve()
    try:
        yield server
    finally:
        server.close()


def closed_port() -> int:
    """A port of the loopback address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
