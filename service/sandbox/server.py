"""Serves the sandbox in one process, because its state is in memory, with a thread per connection.

Werkzeug's own handler closes each connection after one answer. A client with a pool would have to
connect for each call. The handler here keeps connections open, and sends an answer in one piece.
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
"""Seconds that an idle connection is kept, as at the vendors' own front ends."""

BACKLOG = 1024
"""Connections that may wait to be accepted. A storm opens many at once."""

POLL_SECONDS = 0.1
"""Seconds until a request to stop is noticed."""


class KeepAliveHandler(WSGIRequestHandler):
    """HTTP/1.1 with connections that stay open, and without a log line per request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def run_wsgi(self) -> None:
        """Answer one request. The body is read whole, so that the next request starts after it."""
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
        """Log nothing: `GET /_sandbox/calls` has all calls."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: an idle connection that ends is no error."""

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(DechunkedInput(cast("IO[bytes]", self.rfile)))
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            # An unread body cannot be skipped, so this connection ends with its answer.
            self.close_connection = True
            return b""
        return self.rfile.read(int(length))


class SandboxServer(ThreadedWSGIServer):
    """A server that stops at once: its threads end with the process."""

    daemon_threads = True
    request_queue_size = BACKLOG


def make_server(app: WSGIApplication, host: str, port: int) -> BaseWSGIServer:
    """A server that is bound and does not serve yet. Port 0 takes a free port (`server.port`).

    Raises:
        OSError: the port cannot be bound.
    """
    # Bound here, because werkzeug ends the process when it cannot bind.
    with socket.create_server((host, port), backlog=BACKLOG) as bound:
        return SandboxServer(host, port, app, handler=KeepAliveHandler, fd=bound.fileno())


def serve(config: SandboxConfig, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, then return within a second. Call it in the main thread.

    Raises:
        OSError: the port cannot be bound.
    """
    server = make_server(create_app(config), host, port)

    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() waits for the loop, which this thread runs, so it needs another thread.
        threading.Thread(target=server.shutdown, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.serve_forever(poll_interval=POLL_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        server.server_close()
