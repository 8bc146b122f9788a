"""The alerts of a time by two rule files, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.backtest.installation import Installation
from service.backtest.past import in_order, together
from service.domain.backtests.past import Past
from service.domain.backtests.tally import Comparison, Tally


@dataclass(slots=True)
class _Counted:
    """Counts the alerts that go by."""

    pasts: Iterable[Past]
    alerts: int = 0

    def __iter__(self) -> Iterator[Past]:
        for past in self.pasts:
            self.alerts += 1
            yield past


def compare(
    pasts: Iterable[Past], before: Installation, after: Installation, until: float
) -> Comparison:
    """Both installations take all that was told before `until` (seconds since the epoch), in the
    order of time. It is read once, and never held as a whole."""
    counted = _Counted(pasts)
    notifications = 0
    for batch in together(in_order(counted, until)):
        notifications += sum(map(len, batch.pasts))
        before.take(batch)
        after.take(batch)
    return Comparison(_tally(before, until), _tally(after, until), counted.alerts, notifications)


def _tally(installation: Installation, until: float) -> Tally:
    installation.count(until)
    unpriced = sorted(installation.book.targets.keys() - installation.scores.dollars.keys())
    return installation.scores.tally(installation.book.hash, unpriced)
