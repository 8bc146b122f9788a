"""gunicorn's threaded worker, with connections that stay on their thread while they are busy.

The stock worker hands a kept-alive connection back to its main thread after every answer, to be
polled and queued again: half a dozen switches between threads for each notification, which in a
storm cost more than the notification itself (docs/performance.md). Here a thread waits a moment
for the connection's next request first, as long as there are threads enough for all connections.
"""

from __future__ import annotations

import select
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

LINGER_MS = 50
"""How long a thread waits for the next request of its connection before the main thread polls
for it. In a storm the next one comes within milliseconds."""


class StormWorker(ThreadWorker):
    """Serves a connection's next request on the same thread when it comes soon."""

    def handle(self, conn: TConn) -> Any:
        """Handle a request on a connection, and those that follow it closely."""
        kept = super().handle(conn)
        while kept is True and self._next_comes_soon(conn):
            kept = super().handle(conn)
        return kept

    def _next_comes_soon(self, conn: TConn) -> bool:
        if not self.alive or self.nr_conns > self.cfg.threads:
            return False
        waiting = select.poll()
        waiting.register(conn.sock, select.POLLIN)
        return bool(waiting.poll(LINGER_MS))
