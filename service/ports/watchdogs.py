"""The record of watchdogs, and the call that says that runbookd is well.

Every method of the records raises `service.domain.errors.StoreUnavailable` when the database cannot
be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.domain.heartbeat import Waiting
from service.domain.watchdogs import Known, Watchdog
from service.ports.messenger import Message


class Watchdogs(Protocol):
    """What is known of each watchdog; times are seconds since the epoch."""

    def heard(self, alert: str) -> float | None:
        """When this alert was last heard, by what is stored of alerts; None where it never was."""
        ...

    def known(self) -> Sequence[Known]:
        """All that are on record, by name."""
        ...

    def note(self, watchdog: Watchdog, heard_at: float | None) -> None:
        """Put it on record, with the newest time that was ever noted."""
        ...

    def silent(self, alert: str, now: float, message: Message) -> bool:
        """It is silent: the message waits to be told with the record. False where it is on record
        as silent already, and then nothing is told."""
        ...

    def take(self, alert: str, now: float, hold_s: float) -> bool:
        """Whether the caller alone may tell the pager, for `hold_s` seconds."""
        ...

    def paged(self, alert: str, now: float) -> bool:
        """The pager has taken the page. False where it is not silent any more."""
        ...

    def back(self, alert: str, now: float, message: Message) -> bool:
        """It is heard again: the message waits to be told with the record. False where it was not
        silent, and then nothing is told."""
        ...

    def forget(self, alert: str) -> None:
        """No rule file names it any more."""
        ...


class Heartbeats(Protocol):
    """Who says that runbookd is well, and when."""

    def take(self, now: float, every_s: float) -> bool:
        """Whether the caller alone is to say so now: once in `every_s` seconds of all workers."""
        ...

    def waiting(self) -> Waiting:
        """Since when the oldest run and the oldest page wait."""
        ...

    def said(self, now: float, problem: str, again_s: float) -> None:
        """What became of it: `problem` is empty where the address has taken it. With a problem it
        is due again in `again_s` seconds, for whichever worker comes first."""
        ...


class Heartbeat(Protocol):
    """The address that is called while all is well."""

    def beat(self) -> None:
        """Call it once; raises VendorError where it does not take the call."""
        ...
