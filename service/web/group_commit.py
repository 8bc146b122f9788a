"""Group commit: requests that wait share one transaction.

A commit costs a write to the disk, which is the same for one notification and for a hundred. So
each request hands in what it parsed and waits; one committer thread per process takes all that
wait, has them decided and committed together, and only then are they answered.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.ports.admission import Delivery, Receipt
from service.web.concurrency import Concurrency, Threads, Waiter

Admit = Callable[[Sequence[Delivery], float], list[Receipt]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is taken at once, and how long is waited.

    `deliveries` and `alerts` bound one transaction: 20,000 alerts are twice the largest group
    seen in the field. `waiting` bounds the queue; `patience_s` is in seconds, below the 30 s
    after which Grafana gives up.
    """

    deliveries: int = 256
    alerts: int = 20_000
    waiting: int = 1_024
    patience_s: float = 20.0


@dataclass(slots=True, eq=False)
class _Ticket:
    """One delivery that waits; its request is woken when `receipt` or `fault` is there."""

    delivery: Delivery
    waiter: Waiter
    receipt: Receipt | None = None
    fault: str = ""
    abandoned: bool = False


class GroupCommitter:
    """Admits deliveries together; `submit` may be called by any number of requests.

    The thread is started by the first delivery, so a process that forks before it serves is
    safe. `clock` gives seconds since the epoch; `concurrency` is how requests wait.
    """

    def __init__(
        self,
        admit: Admit,
        clock: Callable[[], float],
        bounds: Bounds | None = None,
        concurrency: Concurrency | None = None,
    ):
        self._admit = admit
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._concurrency: Concurrency = concurrency or Threads()
        self._closed = False
        self._begin_afresh()
        me = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _refreshed(me()))

    def _begin_afresh(self) -> None:
        self._waiting: deque[_Ticket] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None

    def submit(self, delivery: Delivery) -> Receipt:
        """Wait until the delivery is committed.

        Raises:
            StoreUnavailable: it was not, or not in time; the sender is to send it again.
        """
        ticket = _Ticket(delivery, self._concurrency.waiter())
        with self._changed:
            self._require_room()
            self._waiting.append(ticket)
            if self._thread is None or not self._thread.is_alive():
                self._start()
            elif len(self._waiting) == 1:
                self._changed.notify()
        if not ticket.waiter.wait(self._bounds.patience_s):
            ticket.abandoned = True
            raise StoreUnavailable(
                f"the database took longer than {self._bounds.patience_s:g} s; send it again"
            )
        if ticket.receipt is None:
            raise StoreUnavailable(ticket.fault)
        return ticket.receipt

    def close(self) -> None:
        """Finish what waits and end the thread; what comes later is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(self._bounds.patience_s)

    def _require_room(self) -> None:
        if self._closed:
            raise StoreUnavailable("this process is stopping; send it again")
        if len(self._waiting) >= self._bounds.waiting:
            raise StoreUnavailable("too many notifications wait for the database; send it again")

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while tickets := self._next_batch():
            self._commit(tickets)

    def _next_batch(self) -> list[_Ticket]:
        """All that wait, within bounds; nothing once closed."""
        with self._changed:
            while True:
                batch = self._taken()
                if batch or self._closed:
                    return batch
                self._changed.wait()

    def _taken(self) -> list[_Ticket]:
        batch: list[_Ticket] = []
        alerts = 0
        while self._waiting and len(batch) < self._bounds.deliveries:
            size = len(self._waiting[0].delivery.notification.alerts)
            if batch and alerts + size > self._bounds.alerts:
                break
            ticket = self._waiting.popleft()
            if not ticket.abandoned:
                batch.append(ticket)
                alerts += size
        return batch

    def _commit(self, tickets: list[_Ticket]) -> None:
        began = time.perf_counter()
        try:
            receipts = self._admit([ticket.delivery for ticket in tickets], self._clock())
            for ticket, receipt in zip(tickets, receipts, strict=True):
                ticket.receipt = receipt
        except StoreUnavailable as error:
            _log.warning("notifications not kept", count=len(tickets), reason=str(error))
            self._refuse(tickets, str(error))
        except Exception:
            self._commit_apart(tickets)
        else:
            self._wake(tickets)
        telemetry.BATCH_DELIVERIES.observe(len(tickets))
        telemetry.COMMIT_SECONDS.observe(time.perf_counter() - began)

    def _commit_apart(self, tickets: list[_Ticket]) -> None:
        """One delivery that nobody foresaw must not cost the others: each is tried alone."""
        if len(tickets) > 1:
            for ticket in tickets:
                self._commit([ticket])
            return
        _log.exception("a notification could not be admitted")
        self._refuse(
            tickets, "something unexpected went wrong here; nothing was kept, send it again"
        )

    def _refuse(self, tickets: list[_Ticket], fault: str) -> None:
        for ticket in tickets:
            ticket.receipt, ticket.fault = None, fault
        self._wake(tickets)

    def _wake(self, tickets: list[_Ticket]) -> None:
        self._concurrency.wake(ticket.waiter for ticket in tickets)


def _refreshed(committer: GroupCommitter | None) -> None:
    """In a child process: the parent's threads are not here, nor are those that wait on them."""
    if committer is not None:
        committer._begin_afresh()  # noqa: SLF001 - the module's own
