"""gunicorn's gevent worker, made lean for a storm of small requests.

All connections are greenlets of one thread. So a sender that is slow, or keeps its connection open,
costs some kilobytes. gunicorn's own worker would patch the standard library. This one only makes
the sockets gevent's, because functions that block run on other threads (`web/concurrency.py`).
Parsing, refusals and limits are still gunicorn's.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import gevent
from gevent import socket
from gunicorn.http import wsgi  # type: ignore[import-untyped]  # gunicorn ships no types
from gunicorn.http.body import (  # type: ignore[import-untyped]  # as above
    ChunkedReader,
    LengthReader,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]  # as above

from service.web.auth import HAS_AUTHENTICATED
from service.web.connections import HEAD_S, PER_ADDRESS, Connection, Strangers

RULES = "runbookd.rules"
"""The key in the application's `extensions` of what keeps its rules as their files are."""
LEAVING_S = 1.0
"""Seconds that a stopping process keeps idle connections: a request may be on its way."""
_CHUNK_PIECE = 256
"""Bytes that gunicorn receives at a time to find a chunk's length. For each chunk it copies the
rest of the piece. A piece of 8 KiB full of 1-byte chunks would hold the loop for 4 ms; one of this
size holds it for 0.1 ms."""

_SERVED: dict[str, tuple[object, str]] = {
    "worker_class_str": (
        "service.web.storm_worker.StormWorker",
        "runbookd's webhooks need its own worker class",
    ),
    "threads": (1, "set WEB_THREADS instead"),
    "preload_app": (False, "runbookd is loaded by each worker process"),
    "protocol": ("http", "only HTTP is understood"),
    "http_protocols": (["h1"], "only HTTP/1.1 is spoken; a proxy may speak HTTP/2"),
    "http2_cleartext": ("off", "only HTTP/1.1 is spoken; a proxy may speak HTTP/2"),
}
"""The settings of gunicorn that must have one value, and what to say when they have another."""


def unserved(cfg: Any) -> list[str]:
    """A sentence for each setting of gunicorn that this worker would ignore."""
    return [
        f"gunicorn's setting {name.removesuffix('_str')} is {getattr(cfg, name)!r}, "
        f"and must be {value!r}: {why}."
        for name, (value, why) in _SERVED.items()
        if getattr(cfg, name) != value
    ]


class WholeResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn ships no types
    """Sends the head and the body of a short answer in one piece."""

    _head = b""
    headers_sent: bool

    def send_headers(self) -> None:
        """Keep the head until the first piece of the body is sent."""
        if self.headers_sent:
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers)]
        self._head = ("".join(lines) + "\r\n").encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self._head and not self.chunked:
            data = self._head + data
            self._head = b""
            # Nearly always `send` takes everything. `sendall` costs one more system call, for the
            # size of the buffer.
            data = data[self.sock.send(data) :]
            if not data:
                return
        self._flush()
        super()._emit_body(data)

    def close(self) -> None:
        """End the answer. A head without a body is sent now."""
        self.send_headers()
        self._flush()
        super().close()

    def _flush(self) -> None:
        if self._head:
            self.sock.sendall(self._head)
            self._head = b""


class StormWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Serves each connection as a greenlet. The application must not block (`Greenlets`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alive: bool
        self._connections: set[Connection] = set()
        # The other half stays free for senders that have authenticated.
        self._strangers = Strangers(PER_ADDRESS, self.worker_connections // 2)
        self._keepalive_s = float(self.cfg.keepalive)
        self._pre_request, self._post_request = self.cfg.pre_request, self.cfg.post_request
        self._logs_access = self.log.access_log_enabled
        self._no_timeout = nullcontext()

    def patch(self) -> None:
        """Make the listening sockets gevent's, and nothing else."""
        self.sockets: list[Any] = [
            socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach())
            for each in self.sockets
        ]

    def init_signals(self) -> None:
        """Take gunicorn's signals, and SIGHUP, which has the rule files read again by this process.

        Without a handler it would end the process. The master's SIGHUP starts all of them anew.
        """
        super().init_signals()
        signal.signal(signal.SIGHUP, self._read_rules_again)

    def _read_rules_again(self, _sig: int, _frame: Any) -> None:
        # Until it is loaded there are no rules that could be read again.
        extensions = getattr(getattr(self, "wsgi", None), "extensions", {})
        if RULES in extensions:
            extensions[RULES].read_again()

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """No time-out around gunicorn's wait for a request: `Connection` has the deadlines."""
        return self._no_timeout

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection from its first byte to its end."""
        address = addr[0] if isinstance(addr, tuple) else ""
        keepalive_s = self._keepalive_s or HEAD_S
        connection = Connection(client, address, self._strangers, keepalive_s)
        if not self.alive:
            connection.rest(LEAVING_S)
        self._connections.add(connection)
        try:
            super().handle(listener, connection, addr)
        finally:
            self._connections.discard(connection)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM: end idle connections, and answer the requests of the others."""
        super().handle_exit(sig, frame)
        gevent.spawn_later(LEAVING_S, self._dismiss)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that gunicorn refuses. The bytes after it cannot be parsed."""
        client.has_unread = True
        super().handle_error(req, client, addr, exc)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve one request. gunicorn answers an exception that comes before the head is sent.

        If the application has not read the whole body, the rest is never parsed, and the connection
        is closed.
        """
        began = time.monotonic()
        sock.head_is_read()
        if isinstance(req.body.reader, ChunkedReader):
            req.unreader.mxchunk = _CHUNK_PIECE
        resp, environ = None, {}
        try:
            self._pre_request(self, req)
            resp, environ = wsgi.create(
                req, sock, addr, listener_name, self.cfg, response_class=WholeResponse
            )
            environ[HAS_AUTHENTICATED] = sock.has_authenticated
            self._count_request()
            parts = self.wsgi(environ, resp.start_response)
            sock.has_unread = not _is_read(req.body)
            if sock.has_unread or not self.alive or not self._keepalive_s:
                resp.force_close()
            _send(parts, resp)
        finally:
            self._tell_of(req, resp, environ, began)
        if resp.should_close():
            raise StopIteration
        sock.is_answered()

    def _tell_of(self, req: Any, resp: Any, environ: dict[str, Any], began: float) -> None:
        """Call gunicorn's access log and its hook `post_request`."""
        if self._logs_access and resp is not None:
            self.log.access(resp, req, environ, timedelta(seconds=time.monotonic() - began))
        try:
            self._post_request(self, req, environ, resp)
        except Exception:
            self.log.exception("the hook post_request failed")

    def _count_request(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("worker_ends: it has served max_requests; another takes its place")
            self.alive = False
            gevent.spawn_later(LEAVING_S, self._dismiss)

    def _dismiss(self) -> None:
        for connection in list(self._connections):
            connection.end_if_idle()


def _send(parts: Iterable[bytes], resp: WholeResponse) -> None:
    try:
        for part in parts:
            resp.write(part)
        resp.close()
    except TimeoutError:
        # The sender does not read its answer: it is gone, or it is hostile.
        raise StopIteration from None
    finally:
        if hasattr(parts, "close"):
            parts.close()


def _is_read(body: Any) -> bool:
    """Whether a request's body was read to its end, by the state of gunicorn's readers."""
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(reader.length == 0)
    return reader.parser is None and not body.failed
