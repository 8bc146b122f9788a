"""Group commit: requests that wait share one transaction.

A commit costs one write to the disk, for one notification as for a hundred. So each request hands
in its delivery and waits. One committer per process takes all deliveries that wait, and has them
decided and committed together. Only then are the requests answered.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.ports.admission import Delivery, Receipt
from service.web.concurrency import Concurrency, Event, Task, Threads
from service.web.large import PartSize, joined, part_of, size_of

Admit = Callable[[Sequence[Delivery], float], list[Receipt]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one transaction takes, and how long a request waits.

    `deliveries` and `alerts` bound one transaction, because all other requests wait for it: 512
    alerts take 30 ms (60 µs each, see docs/performance.md). A notification of more alerts is taken
    in parts; `part` is the size of the first. `waiting` is the most deliveries in a queue. A
    request waits `patience_s` seconds, which is less than the 30 s after which Grafana gives up.
    """

    deliveries: int = 256
    alerts: int = 512
    part: PartSize = field(default_factory=PartSize)
    waiting: int = 1_024
    patience_s: float = 20.0


@dataclass(slots=True, eq=False)
class _Ticket:
    """One delivery that waits. It is `done` when `receipt` or `fault` is set.

    `abandoned` means that its request has stopped waiting, so it must not be committed any more.
    """

    delivery: Delivery
    done: Event
    receipt: Receipt | None = None
    fault: str = ""
    abandoned: bool = False


class GroupCommitter:
    """Admits deliveries together. Any number of requests may call `submit`.

    The first delivery starts the committer, so a process may fork before it serves. `clock` gives
    seconds since the epoch. `concurrency` says how requests wait, and how the committer runs beside
    them.
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
        self._parts: deque[_Ticket] = deque()
        self._lock = threading.Lock()
        self._changed = self._concurrency.event()
        self._part_size = self._bounds.part
        self._is_parts_turn = False
        self._task: Task | None = None
        self._kept_at: float | None = None

    def kept_within(self, seconds: float) -> bool:
        """Whether a batch was committed within the last `seconds`."""
        return self._kept_at is not None and time.monotonic() - self._kept_at <= seconds

    def submit(self, delivery: Delivery) -> Receipt:
        """Wait until the delivery is committed; one of many alerts is committed in parts.

        Raises:
            StoreUnavailable: it was not committed, or not in time. The sender must send it again.
        """
        alerts = size_of(delivery)
        if alerts <= self._bounds.alerts:
            return self._submit(delivery, self._waiting)
        receipts: list[Receipt] = []
        kept = 0
        while kept < alerts:
            part = part_of(delivery, kept, self._part_size.alerts)
            try:
                receipts.append(self._submit(part, self._parts))
            except StoreUnavailable as error:
                if not kept:
                    raise
                sentence = f"{error} (the parts before, {kept} of {alerts} alerts, were kept)"
                raise StoreUnavailable(sentence) from error
            kept += size_of(part)
        return joined(receipts)

    def _submit(self, delivery: Delivery, queue: deque[_Ticket]) -> Receipt:
        ticket = _Ticket(delivery, self._concurrency.event())
        with self._lock:
            self._require_room(queue)
            queue.append(ticket)
            if self._task is None:
                self._task = self._concurrency.start(self._run)
        self._changed.set()
        if not ticket.done.wait(self._bounds.patience_s):
            ticket.abandoned = True
            raise StoreUnavailable(
                f"the database took longer than {self._bounds.patience_s:g} s; send it again"
            )
        if ticket.receipt is None:
            raise StoreUnavailable(ticket.fault)
        return ticket.receipt

    def close(self) -> None:
        """Commit what waits, and end the committer. Later deliveries are refused."""
        with self._lock:
            self._closed = True
            task = self._task
        self._changed.set()
        if task is not None:
            task.join(self._bounds.patience_s)

    def _require_room(self, queue: deque[_Ticket]) -> None:
        if self._closed:
            raise StoreUnavailable("this process is stopping; send it again")
        if len(queue) >= self._bounds.waiting:
            raise StoreUnavailable("too many notifications wait for the database; send it again")

    def _run(self) -> None:
        try:
            while tickets := self._next_batch():
                self._commit(tickets)
        finally:
            # If it ever ends by an error, the next delivery starts another committer.
            self._task = None

    def _next_batch(self) -> list[_Ticket]:
        """The deliveries that wait, within bounds. Empty once closed and nothing waits."""
        while True:
            self._changed.clear()
            # More than one transaction takes are not worth waiting for.
            self._concurrency.gather(lambda: min(len(self._waiting), self._bounds.deliveries))
            with self._lock:
                batch = self._taken()
                if batch or self._closed:
                    return batch
            self._changed.wait()

    def _taken(self) -> list[_Ticket]:
        """All small deliveries, or one part of a large one. They take turns when both wait."""
        self._is_parts_turn = not self._is_parts_turn
        first, then = self._taken_small, self._taken_part
        if self._is_parts_turn:
            first, then = then, first
        return first() or then()

    def _taken_part(self) -> list[_Ticket]:
        while self._parts:
            ticket = self._parts.popleft()
            if not ticket.abandoned:
                return [ticket]
        return []

    def _taken_small(self) -> list[_Ticket]:
        batch: list[_Ticket] = []
        alerts = 0
        while self._waiting and len(batch) < self._bounds.deliveries:
            size = size_of(self._waiting[0].delivery)
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
            receipts = self._admitted([ticket.delivery for ticket in tickets])
            answers = list(zip(tickets, receipts, strict=True))
        except StoreUnavailable as error:
            _log.warning("notifications not kept", count=len(tickets), reason=str(error))
            self._refuse(tickets, str(error))
        except Exception:
            self._commit_apart(tickets)
        except BaseException:
            self._refuse(tickets, "this process was interrupted; send it again")
            raise
        else:
            self._kept_at = time.monotonic()
            for ticket, receipt in answers:
                ticket.receipt = receipt
                ticket.done.set()
        telemetry.BATCH_DELIVERIES.observe(len(tickets))
        telemetry.COMMIT_SECONDS.observe(time.perf_counter() - began)

    def _admitted(self, batch: list[Delivery]) -> list[Receipt]:
        began = time.thread_time()
        receipts = self._admit(batch, self._clock())
        alerts = sum(size_of(delivery) for delivery in batch)
        if alerts >= self._part_size.least:
            self._part_size = self._part_size.after(alerts, time.thread_time() - began)
        return receipts

    def _commit_apart(self, tickets: list[_Ticket]) -> None:
        """Try each delivery alone, so that one that raises does not cost the others."""
        if len(tickets) > 1:
            for ticket in tickets:
                self._commit([ticket])
                # Let other requests go on in between: so many transactions take long.
                self._concurrency.gather(lambda: 0)
            return
        _log.exception("a notification could not be admitted")
        self._refuse(
            tickets, "something unexpected went wrong here; nothing was kept, send it again"
        )

    def _refuse(self, tickets: list[_Ticket], fault: str) -> None:
        for ticket in tickets:
            ticket.receipt, ticket.fault = None, fault
            ticket.done.set()


def _refreshed(committer: GroupCommitter | None) -> None:
    """Start afresh in a child process: the parent's committer and requests are not there."""
    if committer is not None:
        committer._begin_afresh()  # noqa: SLF001 - the module's own
