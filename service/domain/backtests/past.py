"""One episode on record, with all that a backtest needs of it."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.alerts.alert import Alert, Notification


@dataclass(frozen=True, slots=True)
class Past:
    """One episode on record. Times are seconds since the epoch.

    `notification` is the one that it began with, without its alerts, and `delivery` the id of that.
    `seen` is how many notifications told of it. `ended_because` is why it ended where that was no
    measurement, as its sender said.
    """

    id: str
    alert: Alert
    notification: Notification
    delivery: str
    credential: str
    address: str
    first_seen: float
    last_seen: float
    resolved_at: float | None
    open: bool
    seen: int
    ended_because: str = ""
