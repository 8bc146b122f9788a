"""Who is asking: the person behind an Authorization header."""

from __future__ import annotations

import hmac
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from service.bootstrap.access import is_open_mode, tokens_of_people
from service.domain.named_tokens import NamedToken
from service.domain.people import Person, Role
from service.settings import Settings
from service.store.tokens import digest_of, may_be_ours
from service.web.auth import Unauthorized, sent_bearer

STORED_FOR_S = 1.0
"""How long the table of tokens is believed as it was read: a token that is revoked is refused
within a second, and a client that asks often costs no query each time."""
LOOKS_EACH_S = 10.0
"""How often a second the table is read anew because a secret is not in it. So a token that was just
made is known at once, or after 0.1 s while somebody guesses."""
OPEN = Person("local", frozenset({Role.ADMIN}))
"""Everybody in open mode, which is on loopback only."""
READER = Person("(anybody)", frozenset({Role.VIEWER}))
"""Whoever shows no token where API_TOKENS is not set, which is on loopback only. No token can have
this name."""

Stored = Callable[[float], Mapping[str, Person]]
"""The holders of the stored tokens that are good at a time in seconds since the epoch, by the
digests of their secrets."""


@dataclass(slots=True)
class Doorkeeper:
    """Knows people by their tokens.

    `without` is who asks without a token; None where nobody may. `clock` tells when a token is
    over. `steady` only counts on: it measures how old the table is, also when the clock is set
    back.
    """

    tokens: tuple[NamedToken, ...]
    without: Person | None
    stored: Stored
    clock: Callable[[], float]
    steady: Callable[[], float] = time.monotonic
    _known: tuple[float, Mapping[str, Person]] | None = field(default=None, init=False)
    _looks: float = field(default=LOOKS_EACH_S, init=False)
    _counted_at: float = field(default=-math.inf, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def is_open(self) -> bool:
        """Whether everybody on this machine may do everything."""
        return self.without is OPEN

    def person(self, header: str | None, address: str) -> Person | Unauthorized:
        """The person behind a header as WSGI gives it, or why nobody is."""
        secret = sent_bearer(header) if header else None
        found = None if secret is None else self._named(secret) or self._stored(secret)
        if found is None and (self.is_open or not header):
            found = self.without
        if found is not None:
            return replace(found, address=address)
        said = "is not one that is known" if header else "is missing"
        return unauthorized(f"The Authorization header {said}.")

    def asks_without(self, person: Person) -> bool:
        """Whether this is who asks without a token."""
        return self.without is not None and person.name == self.without.name

    def _named(self, secret: bytes) -> Person | None:
        """Compared with each of them, also after a match, so that time tells nothing."""
        matches = [each.person for each in self.tokens if hmac.compare_digest(secret, each.secret)]
        return matches[0] if matches else None

    def _stored(self, secret: bytes) -> Person | None:
        if not may_be_ours(secret):
            return None
        digest, now, known = digest_of(secret), self.steady(), self._known
        fresh = known is not None and now - known[0] < STORED_FOR_S
        if known is not None and fresh and (digest in known[1] or not self._may_look(now)):
            return known[1].get(digest)
        found = self.stored(self.clock())
        self._known = (now, found)
        return found.get(digest)

    def _may_look(self, now: float) -> bool:
        """Take one of the looks that this second still has."""
        with self._lock:
            since = max(0.0, now - self._counted_at)
            self._looks = min(LOOKS_EACH_S, self._looks + since * LOOKS_EACH_S)
            self._counted_at = now
            if self._looks < 1.0:
                return False
            self._looks -= 1.0
            return True


def doorkeeper(settings: Settings, stored: Stored, clock: Callable[[], float]) -> Doorkeeper:
    """The doorkeeper of the API."""
    return Doorkeeper(tokens_of_people(settings), _without(settings), stored, clock)


def _without(settings: Settings) -> Person | None:
    if settings.api_tokens:
        return None
    return OPEN if is_open_mode(settings) else READER


def shows_no_token(person: Person) -> bool:
    """Whether nothing is known of this person, and open mode does not hold either."""
    return person.name == READER.name


def unauthorized(sentence: str) -> Unauthorized:
    """Nobody is let in; the answer names the scheme that would be."""
    return Unauthorized(sentence, 'Bearer realm="runbookd"')
