"""Watchdogs: alerts that fire always are listened for, by all workers.

The record in SQL says what is known, so a restart forgets nothing. Of several workers one changes
the record, and the message waits in the outbox with the same transaction. The page is sent until
the pager takes it: a crash may send it twice, and that is one incident by its dedup_key.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from service.domain.alerts.dedup import watchdog_dedup_key
from service.domain.errors import FailureKind, StoreConflict, StoreUnavailable, VendorError
from service.domain.rules.rules import RuleBook
from service.domain.watchdogs import Due, Known, Watchdog, due
from service.engine import outbox
from service.engine.parts import WorkerParts
from service.messages.watchdogs import (
    back_message,
    not_paged_message,
    silent_message,
    silent_page,
)

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 10.0
"""How often a worker looks whether the watchdogs are heard, in seconds."""
HOLD_S = 60.0
"""For how long a worker tells the pager alone, in seconds: a call takes 10 s at most. What the
pager did not take is sent again after it."""


class WatchdogRound:
    """Listens for each watchdog of the rules in force. Without any it asks the store once for each
    set of rules, for those that earlier rules have left behind."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._began_at = parts.clock.monotonic()
        self._next_at = 0.0
        self._nothing_in = ""

    def __call__(self, _sign: bool) -> None:
        """One round."""
        book, at = self._parts.book(), self._parts.clock.monotonic()
        if book is None or at < self._next_at or book.hash == self._nothing_in:
            return
        self._next_at = at + ASK_EVERY_S
        if self._parts.levels.in_force() not in ("", book.hash):
            return  # a worker with newer rules has started, and listens by those
        self._listen(book)
        # One whose page could not be closed is still on record, and is asked for again.
        left = book.watchdogs or self._parts.watchdogs.known()
        self._nothing_in = "" if left else book.hash

    def _listen(self, book: RuleBook) -> None:
        known = {each.alert: each for each in self._parts.watchdogs.known()}
        for name in known.keys() - book.watchdogs.keys():
            self._forget(known[name])
        for watchdog in book.watchdogs.values():
            try:
                self._look_at(watchdog, known.get(watchdog.alert))
            except (StoreUnavailable, StoreConflict):
                raise
            except Exception:
                # It must not keep the other watchdogs.
                _log.exception("watchdog_not_looked_at", alert=watchdog.alert)

    def _look_at(self, watchdog: Watchdog, known: Known | None) -> None:
        parts, now = self._parts, self._parts.clock.time()
        heard_at = parts.watchdogs.heard(watchdog.alert)
        if known is None or _is_news(watchdog, known, heard_at):
            parts.watchdogs.note(watchdog, heard_at)
        before = known or Known(watchdog.alert, watchdog.absent_s)
        newest = max(filter(None, (before.heard_at, heard_at)), default=None)
        current = replace(before, absent_s=watchdog.absent_s, heard_at=newest)
        watched_s = parts.clock.monotonic() - self._began_at
        match due(watchdog, current, now, watched_s):
            case Due.TELL:
                self._tell(current, now)
            case Due.PAGE:
                self._page(current, now)
            case Due.BACK:
                self._back(current, now)

    def _tell(self, known: Known, now: float) -> None:
        if self._parts.watchdogs.silent(known.alert, now, silent_message(known, now)):
            _log.error("watchdog_silent", alert=known.alert, heard_at=known.heard_at)
            self._page(known, now)

    def _page(self, known: Known, now: float) -> None:
        parts = self._parts
        if not parts.watchdogs.take(known.alert, now, HOLD_S):
            return
        try:
            parts.pager.trigger(silent_page(known, now))
        except VendorError as error:
            _log.error("watchdog_page_not_taken", alert=known.alert, error=str(error))
            self._say_that_nobody_was_paged(known, now, str(error))
            return
        if not parts.watchdogs.paged(known.alert, parts.clock.time()):
            # It came back while the page was on its way.
            parts.pager.resolve(watchdog_dedup_key(known.alert))

    def _say_that_nobody_was_paged(self, known: Known, now: float, problem: str) -> None:
        """Once for each silence, of all workers together: with the first try. Whoever tries it
        keeps the others from the next one for `HOLD_S`."""
        if known.silent_since is None or now - known.silent_since < HOLD_S:
            place = f"watchdog/{known.alert}/not_paged"
            outbox.post_or_keep(not_paged_message(known, problem), self._parts, place=place)

    def _back(self, known: Known, now: float) -> None:
        parts = self._parts
        if not (parts.watchdogs.take(known.alert, now, HOLD_S) and self._closed(known)):
            return
        if parts.watchdogs.back(known.alert, now, back_message(known, now)):
            _log.info("watchdog_heard_again", alert=known.alert)

    def _closed(self, known: Known) -> bool:
        """Whether the page is closed, or can never be: a pager that refuses for good must not keep
        people from hearing that it is over."""
        try:
            self._parts.pager.resolve(watchdog_dedup_key(known.alert))
        except VendorError as error:
            _log.warning("watchdog_page_not_closed", alert=known.alert, error=str(error))
            return error.kind is FailureKind.PERMANENT
        return True

    def _forget(self, known: Known) -> None:
        """The rules name it no more. A page of it would never be closed by itself."""
        if known.silent_since is None or self._closed(known):
            self._parts.watchdogs.forget(known.alert)


def _is_news(watchdog: Watchdog, known: Known, heard_at: float | None) -> bool:
    newer = heard_at is not None and (known.heard_at is None or heard_at > known.heard_at)
    return newer or known.absent_s != watchdog.absent_s
