"""The page of last resort: the web process pages when the store is down or no worker lives.

It has a thread of its own, and calls no vendor but the pager. Everything it does is bounded: each
question to the store has a deadline, few notifications wait, and few pages are sent in a minute.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import structlog

from service.domain.errors import StoreUnavailable
from service.messages.last_resort import (
    NO_STORE_KEY,
    NO_WORKER_KEY,
    no_store_page,
    no_worker_page,
    without_worker,
)
from service.ports import Page
from service.ports.admission import Delivery
from service.ports.last_resort import LastResortParts
from service.web.bounded_pager import BoundedPager
from service.web.probe import Probe, Unanswered

ALONE_S = 30.0
"""Seconds without a live worker until somebody is paged. Twice a worker's lease, so that a restart
of a worker, or the adoption of its runs by another, pages nobody."""
ROUND_S = 5.0
"""Seconds between two rounds."""
ANSWER_S = 5.0
"""Seconds that the store may take for an answer. A frozen one never answers."""
_DELIVERIES, _ALERTS = 16, 2_000
"""The most notifications and alerts that wait to be paged. More are only counted. Their senders
were answered 503 and will send them again."""

_log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")
_Otherwise = TypeVar("_Otherwise")


class LastResort:
    """Watches the store and the workers; `monotonic` gives seconds."""

    def __init__(
        self, parts: LastResortParts, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._pager = BoundedPager(parts.pager, monotonic)
        self._pages_of = parts.pages_of
        self._monotonic = monotonic
        self._prove_write = _probe(parts.prove_write)
        self._live_workers = Probe(parts.live_workers, ANSWER_S)
        self._work_waits = Probe(parts.work_waits, ANSWER_S)
        self._undelivered = Probe(parts.undelivered, ANSWER_S)
        self._announced = Probe(parts.announced, ANSWER_S)
        self._note = _probe(lambda: parts.announce(True))
        self._withdraw = _probe(lambda: parts.announce(False))
        self._lock = threading.Lock()
        self._unkept: deque[Delivery] = deque()
        self._left_out = 0
        self._wake = threading.Event()
        self._closed = False
        self._store_away = False
        self._alone_since: float | None = None
        self._may_be_announced = True

    def start(self) -> None:
        """Start to watch, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="last-resort", daemon=True).start()

    def close(self) -> None:
        """Stop paging. Notifications that are refused because this process stops need no page."""
        self._closed = True
        self._wake.set()

    def not_kept(self, delivery: Delivery) -> None:
        """Report a notification that was refused because it could not be stored. Never blocks."""
        with self._lock:
            waiting = sum(len(each.notification.alerts) for each in self._unkept)
            if self._unkept and (len(self._unkept) >= _DELIVERIES or waiting >= _ALERTS):
                self._left_out += 1
            else:
                self._unkept.append(delivery)
        self._wake.set()

    def round(self) -> None:
        """Page for what could not be stored; then look for the store, or for the workers."""
        while (delivery := self._next_unkept()) is not None:
            self._store_away = True
            for page in self._pages_of(delivery):
                self._page_or_count(page)
        self._page_for_store()
        if self._store_away:
            self._look_for_store()
        else:
            self._look_for_workers()

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            try:
                self.round()
            except Exception:
                # Nothing may end this thread: no other could page anybody then.
                _log.exception("last_resort_round_failed")
            self._wake.wait(ROUND_S)

    def _next_unkept(self) -> Delivery | None:
        with self._lock:
            return self._unkept.popleft() if self._unkept and not self._closed else None

    def _page_or_count(self, page: Page) -> None:
        if self._pager.told(page.dedup_key):
            return
        if not self._pager.has_room():
            with self._lock:
                self._left_out += 1
        else:
            self._pager.page(page)

    def _page_for_store(self) -> None:
        with self._lock:
            left_out, self._left_out = self._left_out, 0
        if left_out and not self._closed:
            self._store_away = True
            self._pager.page(no_store_page(left_out))

    def _look_for_store(self) -> None:
        # Nobody can know now whether a worker lives. Each renews its lease when the store is back.
        self._alone_since = None
        if not self._ask(self._prove_write, otherwise=False):
            return
        if not self._pager.told(NO_STORE_KEY) or self._pager.close(NO_STORE_KEY):
            self._store_away = False

    def _look_for_workers(self) -> None:
        live = self._ask(self._live_workers, otherwise=None)
        if live is None or live > 0:
            self._alone_since = None
            if live:
                self._close_announced()
            return
        now = self._monotonic()
        if self._alone_since is None:
            self._alone_since = now
        alone_s = now - self._alone_since
        if alone_s >= ALONE_S and self._ask(self._work_waits, otherwise=False):
            self._page_for_workers(alone_s)

    def _page_for_workers(self, alone_s: float) -> None:
        self._may_be_announced = True
        news = not self._pager.told(NO_WORKER_KEY)
        if self._pager.page(no_worker_page(alone_s)) and news:
            self._ask(self._note, otherwise=False)
        for page in self._ask(self._undelivered, otherwise=[]):
            # A page without room now is still undelivered in the next minute, and is tried then.
            if not self._pager.told(page.dedup_key) and self._pager.has_room():
                self._pager.page(without_worker(page))

    def _close_announced(self) -> None:
        """Close the incident, whichever web process opened it, because a worker lives."""
        if not self._may_be_announced:
            return
        announced = self._ask(self._announced, otherwise=None)
        if announced is None:
            return
        if announced or self._pager.told(NO_WORKER_KEY):
            closed = self._pager.close(NO_WORKER_KEY) and self._ask(self._withdraw, otherwise=False)
            self._may_be_announced = not closed
        else:
            self._may_be_announced = False

    @staticmethod
    def _ask(question: Probe[_Answer], *, otherwise: _Otherwise) -> _Answer | _Otherwise:
        try:
            return question.ask()
        except (StoreUnavailable, Unanswered):
            return otherwise


def _probe(command: Callable[[], None]) -> Probe[bool]:
    """A command as a probe, whose answer is True when the command was carried out."""

    def carried_out() -> bool:
        command()
        return True

    return Probe(carried_out, ANSWER_S)
