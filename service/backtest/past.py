"""What senders said, in the order of time, from the episodes on record. Pure.

Of an episode it is known when it began, when it was last seen, when it ended and how many
notifications told of it; not when each of them came. So they are spread evenly between the first
and the last.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from service.domain.alerts.alert import Alert, AlertStatus
from service.domain.backtests.past import Past
from service.intake.kinds import STATE_REASON
from service.ports.admission import Delivery

TOGETHER_S = 1.0
"""Notifications that come within so many seconds are admitted together, as web does in a storm."""
DISORDER_S = 600.0
"""By how much an episode's id may be younger than its first notification: episodes are read in the
order of their ids (`service.store.queries` bounds its search by the same)."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alert as a notification told of it at `at`; `firing` is False where it ended."""

    at: float
    past: Past
    firing: bool

    @property
    def alert(self) -> Alert:
        """The alert as its sender would write it now."""
        if self.firing:
            return replace(self.past.alert, status=AlertStatus.FIRING, ends_at=None)
        because = self.past.ended_because
        reason = {STATE_REASON: because} if because else {}
        return replace(
            self.past.alert,
            status=AlertStatus.RESOLVED,
            ends_at=datetime.fromtimestamp(self.at, UTC),
            annotations={**self.past.alert.annotations, **reason},
        )


@dataclass(frozen=True, slots=True)
class Together:
    """Notifications that are admitted together, and the episodes that each tells of, in the order
    of its alerts. `at` is when the last of them came."""

    at: float
    deliveries: tuple[Delivery, ...]
    pasts: tuple[tuple[str, ...], ...]


def told_of(past: Past, until: float) -> Iterator[Told]:
    """Every notification of one episode before `until`."""
    for at, firing in _moments(past):
        if at < until:
            yield Told(at, past, firing)


def _moments(past: Past) -> Iterator[tuple[float, bool]]:
    first, end = past.first_seen, past.resolved_at
    if end is not None and end <= first:
        # A resolve of what had not fired here.
        yield first, False
        return
    yield first, True
    repeats = max(0, past.seen - 1 - (end is not None))
    if end is not None:
        yield from ((first + (end - first) * n / (repeats + 1), True) for n in _to(repeats))
        yield end, False
        return
    last = max(first, past.last_seen)
    yield from ((first + (last - first) * n / repeats, True) for n in _to(repeats))


def _to(count: int) -> range:
    return range(1, count + 1)


def in_order(pasts: Iterable[Past], until: float) -> Iterator[Told]:
    """Everything that was told before `until`, in the order of time.

    It holds the episodes that are under way, and not all of them. `pasts` come in the order of
    their ids.
    """
    waiting: list[tuple[float, str, int, Told]] = []
    for past in pasts:
        for number, each in enumerate(told_of(past, until)):
            heapq.heappush(waiting, (each.at, past.id, number, each))
        while waiting and waiting[0][0] < past.first_seen - DISORDER_S:
            yield heapq.heappop(waiting)[3]
    while waiting:
        yield heapq.heappop(waiting)[3]


def together(told: Iterable[Told]) -> Iterator[Together]:
    """What came within a moment, as the notifications that it was: alerts that began in one came in
    one each time."""
    batch: list[Told] = []
    for each in told:
        if batch and each.at >= batch[0].at + TOGETHER_S:
            yield _batch(batch)
            batch = []
        batch.append(each)
    if batch:
        yield _batch(batch)


def _batch(told: Sequence[Told]) -> Together:
    groups: dict[tuple[str, float], list[Told]] = {}
    for each in told:
        groups.setdefault((each.past.delivery, each.at), []).append(each)
    return Together(
        told[-1].at,
        tuple(_delivery(group) for group in groups.values()),
        tuple(tuple(each.past.id for each in group) for group in groups.values()),
    )


def _delivery(told: Sequence[Told]) -> Delivery:
    first = told[0].past
    alerts = tuple(each.alert for each in told)
    notification = replace(first.notification, alerts=alerts)
    return Delivery(notification, told[0].at, credential=first.credential, address=first.address)
