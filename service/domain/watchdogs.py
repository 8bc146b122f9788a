"""Watchdogs: alerts that fire always, whose absence says that alerts no longer arrive.

Pure. Times are seconds since the epoch. The first word of a watchdog arms it: before that nobody
knows whether it is set up at all, so its silence is told by doctor and pages nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from service.domain.alerts.alert import Alert, AlertKind
from service.domain.alerts.episodes import identity

ABSENT_S = 600.0
"""How long a watchdog may be absent where its rule file says nothing: two rounds of Prometheus'
usual alerts on an exporter that is down (5 min), so that a restart of the stack pages nobody."""
LEAST_ABSENT_S, MOST_ABSENT_S = 120.0, 86_400.0
"""Alertmanager repeats an alert once a minute at best, and one repeat may be lost. A day is the
longest that anybody should be blind."""
GRACE_S = 120.0
"""How long a worker has watched before it pages for a silence. After a time in which all of
runbookd was down, Alertmanager tries again within its group_interval of a minute."""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """An alert by its name, and for how many seconds it may be absent."""

    alert: str
    absent_s: float = ABSENT_S


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record of a watchdog.

    `heard_at` is when it was last heard, None for never. `silent_since` is when people were told
    that it is silent, and `paged_at` when the pager took the page; both are None while all is well.
    """

    alert: str
    absent_s: float
    heard_at: float | None = None
    silent_since: float | None = None
    paged_at: float | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """What is stored of one episode of an alert with a watchdog's name."""

    key: int
    source: str
    fingerprint: str
    kind: str
    open: bool
    last_seen: float
    resolved_at: float | None
    times_seen: int


class Due(StrEnum):
    """What is to be done about a watchdog now."""

    NOTHING = "nothing"
    TELL = "tell"
    """It has just become silent."""
    PAGE = "page"
    """People were told, and the pager has not taken the page yet."""
    BACK = "back"
    """It was silent, and it is heard again."""


def heard_at(episodes: Iterable[Episode]) -> float | None:
    """When a watchdog was last heard, by the episodes of its name; None where it never was.

    A test alert is no word of it, nor what a sender sends that may earn nothing by it: both are
    kept under another key than the alert's own. Neither is a replay, or an end without a beginning:
    those are episodes that were over when they began. An alert that has ended was heard until then.
    """
    return max(filter(None, map(_heard, episodes)), default=None)


def _heard(episode: Episode) -> float | None:
    own = episode.key == identity(episode.source, episode.fingerprint)
    if not own or episode.kind != AlertKind.CONDITION:
        return None
    if episode.open:
        return episode.last_seen
    if episode.times_seen < 2 or episode.resolved_at is None:  # noqa: PLR2004 - its beginning and its end
        return None
    return min(episode.last_seen, episode.resolved_at)


def due(watchdog: Watchdog, known: Known, now: float, watched_s: float) -> Due:
    """What is to be done now. `watched_s` is for how long this worker has watched."""
    if known.heard_at is None:
        return Due.NOTHING
    silent = now - known.heard_at >= watchdog.absent_s
    if known.silent_since is None:
        return Due.TELL if silent and watched_s >= GRACE_S else Due.NOTHING
    if not silent:
        return Due.BACK
    return Due.PAGE if known.paged_at is None else Due.NOTHING


def is_watchdog(alert: Alert, names: Iterable[str]) -> bool:
    """Whether this alert is a watchdog's word."""
    return alert.kind is AlertKind.CONDITION and alert.name in names
