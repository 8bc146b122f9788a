"""gunicorn's gevent worker, made lean for a storm of small requests.

All connections are greenlets of one thread: a sender that is slow, or keeps its connection open,
costs some kilobytes. gunicorn would patch the standard library for that; here only the sockets are
gevent's, because what blocks has threads of its own (`web/concurrency.py`). What gunicorn parses,
refuses and limits stays its own.
"""

from __future__ import annotations

from typing import Any

import gevent
from gevent import socket
from gunicorn.http import wsgi  # type: ignore[import-untyped]  # gunicorn ships no types
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]  # as above

STALLED_S = 30.0
"""How long a sender may pause within its request or while it is answered."""
LINGER_S = 1.0
"""How long a stopping process keeps idle connections, for a request that may be on its way."""


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
            # Nearly always this is all: sendall asks the system for the buffer's size before.
            data = data[self.sock.send(data) :]
            if not data:
                return
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


class StormWorker(GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Serves each connection as a greenlet; `wsgi` must not block (`Greenlets`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: set[_Idle] = set()

    def patch(self) -> None:
        """The listening sockets become gevent's; nothing else does."""
        self.sockets: list[Any] = [
            socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach())
            for each in self.sockets
        ]

    def timeout_ctx(self) -> _Idle:
        """What gunicorn holds around its wait for a connection's next request."""
        return _Idle(self.cfg.keepalive if self.alive else LINGER_S, self._idle)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: no new connections, an end to those that are idle, an answer to the others."""
        super().handle_exit(sig, frame)
        gevent.spawn_later(LINGER_S, self._dismiss)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """One request; an exception before the head has gone out is gunicorn's to answer."""
        sock.settimeout(STALLED_S)
        resp, environ = wsgi.create(
            req, sock, addr, listener_name, self.cfg, response_class=WholeResponse
        )
        parts = self.wsgi(environ, resp.start_response)
        if not self.alive:
            resp.force_close()
        try:
            for part in parts:
                resp.write(part)
            resp.close()
        except TimeoutError:
            # Whoever does not read its answer is gone, or means no good.
            raise StopIteration from None
        finally:
            if hasattr(parts, "close"):
                parts.close()
        sock.settimeout(None)
        if resp.should_close():
            raise StopIteration

    def _dismiss(self) -> None:
        for idle in list(self._idle):
            idle.end()


class _Idle(gevent.Timeout):
    """A connection's wait for its next request, which ends quietly: after `seconds`, or by `end`.

    While it waits it is among `waiting`.
    """

    def __init__(self, seconds: float, waiting: set[_Idle]) -> None:
        # False: it ends the block without an exception.
        super().__init__(seconds, False)  # type: ignore[arg-type]  # the stubs don't know of it
        self._waiting = waiting
        self._greenlet = gevent.getcurrent()

    def __enter__(self) -> _Idle:
        self._waiting.add(self)
        entered: _Idle = super().__enter__()
        return entered

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> Any:
        self._waiting.discard(self)
        return super().__exit__(kind, value, traceback)

    def end(self) -> None:
        """As if the time were over, unless a request comes first: that one is to be answered."""
        gevent.get_hub().loop.run_callback(self._end_now)

    def _end_now(self) -> None:
        if self in self._waiting:
            self._greenlet.throw(self)
