"""What was refused to people is audited, too: changes, sign-ins, and reads beyond one's role.

A stranger may try as often as the network allows. So only the first of a minute are kept, each kind
apart: many failed reads do not hide a failed change, nor many of strangers that of a known person.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.people import FORBIDDEN, UNAUTHORIZED, AuditEntry, Person
from service.domain.text import cut, one_line
from service.web.permissions import changes

EACH_MINUTE = 20
"""Entries of one kind that a process keeps in a minute."""
NOBODY = "(unknown)"
"""Who it was, where no token says so. No token can have this name."""
_MINUTE_S = 60.0
_LONGEST = 160
"""Characters of a path: as many as the column of subjects takes."""
_KINDS = 256
"""Kinds that are counted at once. There are three for each person, and two for strangers."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Minute:
    began: float
    kept: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Refused:
    """Keeps what was refused by this process. `clock` tells when, `steady` measures minutes."""

    keep: Callable[[AuditEntry], None]
    clock: Callable[[], float]
    steady: Callable[[], float] = time.monotonic
    _minutes: dict[tuple[str, bool, str], _Minute] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def unauthorized(self, method: str, path: str, address: str, why: str) -> None:
        """Somebody showed a token that is not known, or wanted to change something without one."""
        self._note(UNAUTHORIZED, method, path, Person(NOBODY, frozenset(), address=address), why)

    def forbidden(self, method: str, path: str, person: Person, why: str) -> None:
        """Somebody who is known lacks the role."""
        self._note(FORBIDDEN, method, path, person, why)

    def _note(self, outcome: str, method: str, path: str, person: Person, why: str) -> None:
        left_out = self._left_out((outcome, changes(method), person.name))
        if left_out is None:
            return
        subject = cut(one_line(path), _LONGEST)
        _log.warning("refused", outcome=outcome, who=person.name, path=subject, why=why)
        what = {"not_kept_before": left_out} if left_out else {}
        entry = AuditEntry(
            at=self.clock(),
            who=person.name,
            via=person.via,
            address=person.address,
            verb=cut(one_line(method), 24),
            subject=subject,
            why=why,
            what=what,
            outcome=outcome,
        )
        try:
            self.keep(entry)
        except (StoreUnavailable, StoreConflict) as error:
            # The refusal stands, whether or not it can be kept.
            _log.warning("refusal_not_kept", why=str(error))

    def _left_out(self, kind: tuple[str, bool, str]) -> int | None:
        """How many of this kind were not kept before this one; None when this one is not either."""
        now = self.steady()
        with self._lock:
            minute = self._minutes.get(kind)
            if minute is None or now - minute.began >= _MINUTE_S:
                left_out = 0 if minute is None else minute.left_out
                if len(self._minutes) >= _KINDS:
                    self._minutes.clear()
                self._minutes[kind] = _Minute(now, kept=1)
                return left_out
            if minute.kept < EACH_MINUTE:
                minute.kept += 1
                return 0
            minute.left_out += 1
            return None
