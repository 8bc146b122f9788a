"""Keeps the rules of a process as their files are, and tells the other processes of it."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from service.bootstrap.rules import rule_paths
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.rules.rules import RuleBook
from service.domain.rules.told import HEARD_EVERY_S, ProcessRules
from service.messages.rules import mended, refused
from service.ports.rulebooks import Rulebooks
from service.rulebook import RuleBookInvalid, load_rulebook
from service.rulebook.held import LOOK_S, HeldRules
from service.rulebook.sources import KeptSources, Sources
from service.settings import Settings, rule_variables

_log = structlog.get_logger(__name__)

STOP_S = 5.0
"""How long the end of a process waits for a look that is under way, in seconds."""
_AGAIN_S = 5.0
"""Seconds until something is said again that the store did not take."""
_HASH = 12


class RulesWatch:
    """The rules of this process, and the thread that looks after them.

    `ask_every_s` is how often it looks in the store whether somebody asked for a reload, in
    seconds. `taking` is called with new rules right before they are in force, and `taken` after
    that. `needs` tells what of some rules can only be had after a restart.
    """

    def __init__(
        self,
        settings: Settings,
        store: Rulebooks,
        role: str,
        *,
        ask_every_s: float,
        taking: Callable[[RuleBook], None] = lambda _book: None,
        taken: Callable[[RuleBook], None] = lambda _book: None,
        needs: Callable[[RuleBook], Sequence[str]] = lambda _book: (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = rule_paths(settings)
        self._variables = rule_variables(settings)
        self._store, self._ask_every_s = store, ask_every_s
        self._clock, self._monotonic = clock, monotonic
        self._taking, self._taken, self._needs = taking, taken, needs
        self.held = HeldRules(self._paths, self._load, self._keep, clock=clock, monotonic=monotonic)
        host, pid = socket.gethostname()[:32], os.getpid()
        self._mine = ProcessRules(
            process=f"{role}-{host}-{pid}-{secrets.token_hex(4)}",
            role=role,
            host=host,
            pid=pid,
            hash="",
            since=0.0,
            refused=(),
            refused_since=0.0,
            needs=(),
            heard="",
            seen_at=0.0,
        )
        self._asked = False
        self._number = self._answered = ""
        self._next_ask = self._next_tell = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rules", daemon=True)

    def begin(self) -> None:
        """Read the rules for the first time. Where the files cannot be used, the last good ones of
        this installation are taken.

        Raises:
            RuleBookInvalid: there are no such either. The thread may be started all the same: it
                takes the files once they can be used.
        """
        self._number = self._answered = self._ask()
        self.held.begin(self._last_good)

    def start(self) -> None:
        """Look after the rules from now on, on a thread that ends with the process."""
        self._tell()
        self._thread.start()

    def stop(self) -> None:
        """End the looks, and have the others forget this process."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        try:
            self._store.leave(self._mine.process)
        except (StoreUnavailable, StoreConflict) as error:
            _log.info("rules_not_left", why=str(error), consequence="forgotten in 100 s")

    def read_again(self) -> None:
        """Have the files read with the next look, although they look the same. For a signal: it
        takes no lock and never waits."""
        self._asked = True

    def heard(self) -> None:
        """The bell rang: look in the store with the next look; never waits."""
        self._next_ask = 0.0

    def look(self) -> None:
        """One look at the files, and at what others ask for."""
        if (now := self._monotonic()) >= self._next_ask:
            self._next_ask = now + self._ask_every_s
            number = self._ask()
            if number != self._number:
                self._number = number
                self._asked = True
        asked, self._asked = self._asked, False
        if self.held.look(asked=asked):
            self._answered = self._number
            if (book := self.held.book) is not None:
                self._taken(book)
                _log.info("rules_read", hash=book.hash, refused=self.held.refused is not None)
            self._tell()
        elif now >= self._next_tell:
            self._tell()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception:
                _log.exception("rules_not_looked_at", consequence="the rules before stay in force")

    def _load(self, sources: Sources) -> RuleBook:
        return load_rulebook(self._paths, self._variables, sources=sources)

    def _keep(self, book: RuleBook, sources: Sources) -> None:
        self._tried(book, lambda: self._store.keep_good(_name_of(self._paths), sources.files))
        self._tried(book, lambda: self._taking(book))

    def _tried(self, book: RuleBook, step: Callable[[], None]) -> None:
        try:
            step()
        except (StoreUnavailable, StoreConflict) as error:
            _log.warning("rules_not_kept", hash=book.hash, why=str(error))

    def _last_good(self) -> RuleBook | None:
        return _last_good(self._paths, self._variables, self._store)

    def _ask(self) -> str:
        """The last request for a reload; the one that is known, while the store is away."""
        try:
            return self._store.asked()
        except (StoreUnavailable, StoreConflict):
            return self._number

    def _tell(self) -> None:
        """Say what is in force here. It is said again sooner where the store is away."""
        book, bad = self.held.book, self.held.refused
        mine = replace(
            self._mine,
            hash="" if book is None else book.hash,
            since=self.held.since,
            refused=() if bad is None else bad.errors,
            refused_since=0.0 if bad is None else bad.since,
            needs=() if book is None else tuple(self._needs(book)),
            heard=self._answered,
            seen_at=self._clock(),
        )
        again_s = HEARD_EVERY_S
        try:
            self._store.say(mine, refused(mine), mended(mine))
        except (StoreUnavailable, StoreConflict) as error:
            again_s = _AGAIN_S
            _log.warning("rules_not_told", why=str(error))
        self._next_tell = self._monotonic() + again_s


def last_good_rules(settings: Settings, store: Rulebooks) -> RuleBook | None:
    """The last rules of these files that could be used; None where there are none, or where they
    can be read no more."""
    return _last_good(rule_paths(settings), rule_variables(settings), store)


def _last_good(
    paths: Sequence[Path], variables: Mapping[str, str], store: Rulebooks
) -> RuleBook | None:
    try:
        files = store.good(_name_of(paths))
        return load_rulebook(paths, variables, sources=KeptSources(files)) if files else None
    except (StoreUnavailable, StoreConflict, RuleBookInvalid) as error:
        _log.warning("no_last_good_rules", why=str(error))
        return None


def _name_of(paths: Sequence[Path]) -> str:
    """The name of some rule files in the store: processes with the same files share it."""
    return hashlib.sha256("\n".join(map(str, paths)).encode()).hexdigest()[:_HASH]
