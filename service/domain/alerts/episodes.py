"""Episodes: an alert from firing to resolved, and what one more notification makes of it.

Senders repeat, retry, deliver twice and resolve what never fired; the rules for all of that are
here, and nowhere else. See docs/webhooks.md, "What follows for the receiver".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from service.domain.alerts.alert import Alert, AlertKind

REFIRE_GRACE_S = 120.0
"""Seconds after a resolve within which firing again is the same episode, unless the settings say
otherwise: highly available senders deliver resolves and firings out of order (docs/webhooks.md)."""

EVIDENCE_S = 6 * 3_600.0
"""How long an alert counts as firing without being repeated: half as long again as Alertmanager's
default repeat_interval of four hours."""


@dataclass(frozen=True, slots=True)
class Episode:
    """The newest episode of an alert. Times are seconds since the epoch."""

    id: str
    open: bool
    last_seen: float
    resolved_at: float | None


class Transition(StrEnum):
    """What a notification means for an alert's newest episode."""

    OPENED = "opened"
    REPEATED = "repeated"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    RESOLVED_UNSEEN = "resolved_unseen"
    """Resolved without having fired here: kept as a closed episode of its own."""
    RESOLVED_AGAIN = "resolved_again"


TURNS = (Transition.OPENED, Transition.REOPENED, Transition.RESOLVED)
"""What makes an alert fire that did not, or ends it."""


def identity(source: str, fingerprint: str) -> int:
    """The key of an alert in storage: 63 bits of a hash over (source, fingerprint).

    A number keeps the index small when millions of alerts are stored.
    """
    text = f"{source}\x00{fingerprint}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def identity_of(alert: Alert) -> int:
    """The key of this alert. A test has one of its own, though it may carry the fingerprint of a
    real alert: it must not keep that one's episode open, or open it again. NUL is in no
    fingerprint, because no store takes it."""
    prefix = "\x00test" if alert.kind is AlertKind.TEST else ""
    return identity(alert.source, prefix + alert.fingerprint)


def refused_identity_of(alert: Alert) -> int:
    """The key of this alert where its sender may earn nothing by it.

    It is another than that of the real alert, so that such a sender cannot keep a real alert open,
    end it, or come before it. All such senders share it: a credential is no part of an identity.
    """
    return identity(alert.source, f"\x00refused{alert.fingerprint}")


def transition(newest: Episode | None, alert: Alert, now: float, grace_s: float) -> Transition:
    """What `alert` means for its newest episode; a resolve closes it whatever its startsAt."""
    if alert.firing:
        if newest is None:
            return Transition.OPENED
        if newest.open:
            return Transition.REPEATED
        refired = newest.resolved_at is not None and now - newest.resolved_at <= grace_s
        return Transition.REOPENED if refired else Transition.OPENED
    if newest is None:
        return Transition.RESOLVED_UNSEEN
    return Transition.RESOLVED if newest.open else Transition.RESOLVED_AGAIN
