"""A worker process: registered, supervised, and ended in good order."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from structlog.contextvars import bound_contextvars

from service.engine import durable
from service.engine.execution import execute
from service.engine.late_pages import deliver, load_late
from service.engine.lease import LeaseKeeper
from service.engine.parts import WorkerParts
from service.engine.reconcile import reconcile
from service.engine.supervision import Supervisor

_log = structlog.get_logger(__name__)

Listen = Callable[[Callable[[], None]], Callable[[], None]]
"""Calls what it is given whenever work may have been queued; what it returns ends that."""


class RulesWatch(Protocol):
    """What keeps the rules of this process as their files are (`service.bootstrap.reload`)."""

    def start(self) -> None:
        """Begin to look after them."""
        ...

    def stop(self) -> None:
        """End that."""
        ...

    def heard(self) -> None:
        """Something was queued, or a reload was asked for; never waits."""
        ...

    def read_again(self) -> None:
        """A signal asks for a reload; never waits."""
        ...


STOP_WAIT_S = 5
"""A stopping worker gives runs under way this long; what is left goes on elsewhere."""


class Worker:
    """One worker: takes runs off the queue until it is stopped.

    `lease_s` and `poll_s` are in seconds; `concurrency` is how many runs it executes at a time.
    `listen` tells of work at once; `poll_s` is how often it looks when it is told nothing.
    """

    def __init__(
        self,
        parts: WorkerParts,
        engine: sa.Engine,
        *,
        listen: Listen,
        lease_s: float,
        poll_s: float,
        concurrency: int,
        rules: RulesWatch,
    ) -> None:
        self.executor = f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._parts = parts = replace(parts, executor=self.executor)
        self._engine = engine
        self._listen = listen
        self._rules = rules
        self._poll_s = poll_s
        self._concurrency = concurrency
        self._under_way: set[str] = set()
        self._supervisor = Supervisor(parts, self.executor, lease_s, lambda: set(self._under_way))
        self._lease = LeaseKeeper(
            parts, self.executor, lease_s, lambda: list(self._under_way), self._supervisor.tell
        )

    def start(self) -> None:
        """Register, keep the lease, launch the engine, and adopt what others left."""
        self._parts.leases.register(self.executor, socket.gethostname(), os.getpid())
        self._lease.start()
        durable.launch(
            self._engine,
            executor=self.executor,
            run=self._run,
            reconcile=self._reconcile,
            page=self._page,
            poll_s=self._poll_s,
            concurrency=self._concurrency,
        )
        self._stop_listening = self._listen(self._heard)
        self._rules.start()
        self._supervisor.start()
        _log.info("worker_started", executor=self.executor)

    def serve(self) -> None:
        """Work until SIGTERM or SIGINT; does not return while a run could still go on. SIGHUP has
        the rule files read again."""
        # Not an event. A handler runs in the thread that waits, and an event is set under a lock
        # that this thread holds for a moment when its wait begins. It would wait for itself.
        told: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: told.put(number))
        signal.signal(signal.SIGHUP, lambda *_: self._rules.read_again())
        self.start()
        told.get()
        self.stop()
        if self._under_way:
            # They are others' now; waiting for their threads, as an interpreter does at its end,
            # would only keep this process beside them.
            sys.stdout.flush()
            os._exit(0)

    def stop(self) -> None:
        """Stop taking runs, wait a little for those under way, and hand the rest on."""
        self._supervisor.stop()
        self._rules.stop()
        self._stop_listening()
        durable.stop(STOP_WAIT_S)
        self._lease.stop()
        self._parts.leases.retire(self.executor)
        _log.info("worker_stopped", executor=self.executor, handed_on=sorted(self._under_way))

    def _heard(self) -> None:
        durable.wake()
        self._supervisor.heard()
        self._rules.heard()

    def _run(self, run_id: str, pinned: Mapping[str, Any]) -> None:
        self._noted(run_id, lambda: execute(self._parts, run_id, pinned, durable.run_step))

    def _reconcile(self, run_id: str) -> None:
        self._noted(run_id, lambda: reconcile(self._parts, run_id, durable.run_step))

    def _page(self, page_id: str, late: Mapping[str, Any]) -> None:
        self._noted(page_id, lambda: deliver(self._parts, load_late(late), durable.run_step))

    def _noted(self, run_id: str, work: Callable[[], None]) -> None:
        self._under_way.add(run_id)
        try:
            with bound_contextvars(run=run_id):
                work()
        finally:
            self._under_way.discard(run_id)
