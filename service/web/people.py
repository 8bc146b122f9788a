"""Who is asking: the person behind an Authorization header."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from service.domain.named_tokens import NamedToken, read_tokens
from service.domain.people import Person, Role
from service.settings import Settings
from service.web.auth import Unauthorized, sent_bearer

STORED_FOR_S = 1.0
"""How long an answer of the table of tokens is believed: a token that is revoked is refused within
a second, and a client that asks often costs no query each time."""
_KEPT = 256
OPEN = Person("local", frozenset({Role.ADMIN}))
"""Everybody, where the API is open: that is on loopback only."""

Stored = Callable[[bytes, float], Person | None]
"""Whose stored token a secret is, at a time in seconds since the epoch."""


@dataclass(slots=True)
class Doorkeeper:
    """Knows people by their tokens. Without API_TOKENS everybody is let in, on loopback only."""

    tokens: tuple[NamedToken, ...]
    stored: Stored
    clock: Callable[[], float]
    _known: dict[bytes, tuple[float, Person | None]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def person(self, header: str | None, address: str) -> Person | Unauthorized:
        """The person behind a header as WSGI gives it, or why nobody is."""
        if not self.tokens:
            return replace(OPEN, address=address)
        if not header:
            return _unauthorized("The Authorization header is missing.")
        secret = sent_bearer(header)
        found = None if secret is None else self._named(secret) or self._stored(secret)
        if found is None:
            return _unauthorized("The Authorization header is not one that is known.")
        return replace(found, address=address)

    def _named(self, secret: bytes) -> Person | None:
        """Compared with each of them, also after a match, so that time tells nothing."""
        matches = [each.person for each in self.tokens if hmac.compare_digest(secret, each.secret)]
        return matches[0] if matches else None

    def _stored(self, secret: bytes) -> Person | None:
        now = self.clock()
        with self._lock:
            known = self._known.get(secret)
        if known is not None and now - known[0] < STORED_FOR_S:
            return known[1]
        found = self.stored(secret, now)
        with self._lock:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[secret] = (now, found)
        return found


def doorkeeper(settings: Settings, stored: Stored, clock: Callable[[], float]) -> Doorkeeper:
    """The doorkeeper of the API."""
    entries = [secret.get_secret_value() for secret in settings.api_tokens]
    return Doorkeeper(read_tokens(entries), stored, clock)


def _unauthorized(sentence: str) -> Unauthorized:
    return Unauthorized(sentence, 'Bearer realm="runbookd"')
