"""A notification of many alerts is taken in parts, each in a transaction of its own.

One transaction for all of it would hold up everybody else's. A part is stored as a notification of
its own: what is kept of it stays kept when a later part fails, and is a repeat when the sender
sends all of it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.ports.admission import Delivery, Receipt


@dataclass(frozen=True, slots=True)
class PartSize:
    """How many alerts the next part has: what `seconds` of the processor are enough for.

    An alert costs 60 µs, and ten times as much when a run of its own follows from it: `least` takes
    30 ms even then. Fewer would spend more on commits than on alerts.
    """

    alerts: int = 128
    least: int = 64
    most: int = 512
    seconds: float = 0.03

    def after(self, alerts: int, took_s: float) -> PartSize:
        """The next one, after `alerts` took `took_s` seconds of the processor. It grows to twice
        the last at most."""
        fitting = int(alerts * self.seconds / max(took_s, 1e-6))
        most = min(self.most, 2 * self.alerts)
        return replace(self, alerts=max(self.least, min(fitting, most)))


def size_of(delivery: Delivery) -> int:
    """How many alerts are stored: one that is quarantined is a row as well."""
    return len(delivery.notification.alerts) + len(delivery.notification.quarantined)


def part_of(delivery: Delivery, start: int, size: int) -> Delivery:
    """`size` of the alerts from `start` on. Those that are quarantined come after the others."""
    whole = delivery.notification
    end = min(start + size, size_of(delivery))
    note = (
        f"Alerts {start + 1} to {end} of a notification of {size_of(delivery)}, "
        "which was taken in parts."
    )
    taken = len(whole.alerts)
    part = replace(
        whole,
        alerts=whole.alerts[start:end],
        quarantined=whole.quarantined[max(start - taken, 0) : max(end - taken, 0)],
        notes=(*whole.notes, note),
    )
    return replace(delivery, notification=part)


def joined(receipts: Sequence[Receipt]) -> Receipt:
    """The receipts of all parts as one; its id is the first part's."""
    return Receipt(
        receipts[0].delivery,
        tuple(each for receipt in receipts for each in receipt.verdicts),
        tuple(each for receipt in receipts for each in receipt.quarantined),
    )
