"""gunicorn's threaded worker, made lean for a storm of small requests.

Whenever a thread makes a system call it lets go of the interpreter's lock and queues for it again
behind all others that serve a request. The stock worker makes a dozen such calls for each small
request: it hands the connection from thread to thread, and switches the socket's mode back and
forth. Here it is four: wait, receive, (commit,) send. docs/performance.md has the figures.

Only HTTP/1 requests are served differently, and only in how; what gunicorn parses, refuses,
limits and logs stays its own.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]  # gunicorn ships no types
from gunicorn.http.body import LengthReader  # type: ignore[import-untyped]  # as above
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]  # as above

LINGER_MS = 50
"""How long a thread waits for the next request of its connection before the main thread polls
for it. In a storm it comes within milliseconds."""


class SteadySocket(socket.socket):
    """A socket that does nothing when it is told to be as it is."""

    def settimeout(self, value: float | None) -> None:
        """Change the mode only where it differs."""
        if value != self.gettimeout():
            super().settimeout(value)

    def setblocking(self, flag: bool) -> None:
        """Change the mode only where it differs."""
        self.settimeout(None if flag else 0.0)


class WholeResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn ships no types
    """Sends head and body of a short answer in one piece."""

    _head = b""
    headers_sent: bool

    def send_headers(self) -> None:
        """Keep the head until there is a body to go with it."""
        if self.headers_sent:
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers)]
        self._head = ("".join(lines) + "\r\n").encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self._head and not self.chunked:
            data = self._head + data
            self._head = b""
        self._flush()
        super()._emit_body(data)

    def close(self) -> None:
        """The end of the answer: a head without a body goes out now."""
        self.send_headers()
        self._flush()
        super().close()

    def _flush(self) -> None:
        if self._head:
            self.sock.sendall(self._head)
            self._head = b""


class StormWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Serves a connection's next request on the same thread when it comes soon."""

    def handle(self, conn: TConn) -> Any:
        """Handle a request on a connection, and those that follow it closely."""
        if not (conn.initialized or self.cfg.is_ssl or isinstance(conn.sock, SteadySocket)):
            conn.sock = _steady(conn.sock)
        kept = super().handle(conn)
        while kept is True and self._next_comes_soon(conn):
            kept = super().handle(conn)
        return kept

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """One HTTP/1 request; an exception before the head has gone out is gunicorn's to answer."""
        resp, environ = wsgi.create(
            req, conn.sock, conn.client, conn.server, self.cfg, response_class=WholeResponse
        )
        environ["wsgi.multithread"] = True
        if not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
            resp.force_close()
        parts = self.wsgi(environ, resp.start_response)
        try:
            for part in parts:
                resp.write(part)
            resp.close()
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return not resp.should_close()

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Whether the connection can be used again; a body that was read needs no draining."""
        return keepalive and (_was_read(conn) or super()._keepalive_after(conn, keepalive))

    def _next_comes_soon(self, conn: TConn) -> bool:
        if not self.alive or self.nr_conns > self.cfg.threads:
            return False
        if conn.parser.unreader.buf.getbuffer().nbytes:
            return True
        waiting = select.poll()
        waiting.register(conn.sock, select.POLLIN)
        return bool(waiting.poll(LINGER_MS))


def _steady(plain: socket.socket) -> SteadySocket:
    timeout = plain.gettimeout()
    steady = SteadySocket(plain.family, plain.type, plain.proto, plain.detach())
    steady.settimeout(timeout)
    return steady


def _was_read(conn: TConn) -> bool:
    body = conn.parser.mesg.body
    reader = body.reader
    return (
        isinstance(reader, LengthReader) and reader.length == 0 and not body.buf.getbuffer().nbytes
    )
