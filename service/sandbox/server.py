"""Serves the sandbox: one process, because the state is in it; a thread for each connection.

Werkzeug's server closes each connection after one answer, which a client with a pool would pay
for at every call; the handler here keeps it open and sends an answer in one piece.
"""

from __future__ import annotations

import io
import signal
import socket
import threading
from http import HTTPStatus
from types import FrameType
from typing import IO, cast
from wsgiref.types import WSGIApplication

from werkzeug.serving import BaseWSGIServer, DechunkedInput, ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from service.sandbox.app import LARGEST_BODY, create_app
from service.sandbox.config import SandboxConfig

IDLE_SECONDS = 75
"""How long an idle connection is kept, as the vendors' own front ends do."""

BACKLOG = 1024
"""Connections that may wait to be accepted; a storm opens many at once."""

POLL_SECONDS = 0.1
"""How soon a request to stop is noticed."""


class KeepAliveHandler(WSGIRequestHandler):
    """HTTP/1.1 with connections that stay open, and no line logged per request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def run_wsgi(self) -> None:
        """Answer one request; the body is read whole, so that the next one starts clean."""
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self._read_body())
        environ["wsgi.input_terminated"] = True
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        body = b"".join(parts)
        lines = [f"{self.protocol_version} {status}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if "content-length" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(head + (b"" if self.command == "HEAD" else body))

    def log_request(self, code: int | str | HTTPStatus = "-", size: int | str = "-") -> None:
        """Say nothing: `GET /_sandbox/calls` has it all."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: an idle connection that ends is no error of anybody."""

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(DechunkedInput(cast("IO[bytes]", self.rfile)))
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            # What is not read can't be skipped either: this connection ends with its answer.
            self.close_connection = True
            return b""
        return self.rfile.read(int(length))


class SandboxServer(ThreadedWSGIServer):
    """A server whose threads don't outlive the process, so that it stops at once."""

    daemon_threads = True
    request_queue_size = BACKLOG


def make_server(app: WSGIApplication, host: str, port: int) -> BaseWSGIServer:
    """A bound server, not yet serving; port 0 takes a free one (`server.port`).

    Raises OSError when the port can't be had.
    """
    # Bound here, as werkzeug itself ends the process when it can't have the port.
    with socket.create_server((host, port), backlog=BACKLOG) as bound:
        return SandboxServer(host, port, app, handler=KeepAliveHandler, fd=bound.fileno())


def serve(config: SandboxConfig, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, then return within a second; only in the main thread.

    Raises OSError when the port can't be had.
    """
    server = make_server(create_app(config), host, port)

    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this very thread runs.
        threading.Thread(target=server.shutdown, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.serve_forever(poll_interval=POLL_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        server.server_close()
