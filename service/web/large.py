"""Splits a notification of many alerts into parts, each with a transaction of its own.

One transaction for all alerts would hold up all other requests. A part is stored as a notification
of its own. It stays stored when a later part fails. When the sender then sends everything again,
its alerts count as repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.ports.admission import Delivery, Receipt


@dataclass(frozen=True, slots=True)
class PartSize:
    """How many alerts the next part has: as many as take `seconds` of processor time.

    An alert costs 60 µs, and ten times as much when a run of its own follows from it. Even then,
    `least` alerts take about 30 ms. Smaller parts would spend more on commits than on alerts.
    """

    alerts: int = 128
    least: int = 64
    most: int = 512
    seconds: float = 0.03

    def after(self, alerts: int, took_s: float) -> PartSize:
        """The size of the next part, after `alerts` took `took_s` seconds of processor time.

        A part has at most twice as many alerts as the one before.
        """
        fitting = int(alerts * self.seconds / max(took_s, 1e-6))
        most = min(self.most, 2 * self.alerts)
        return replace(self, alerts=max(self.least, min(fitting, most)))


def size_of(delivery: Delivery) -> int:
    """How many rows are stored for a delivery: a quarantined alert is a row as well."""
    return len(delivery.notification.alerts) + len(delivery.notification.quarantined)


def part_of(delivery: Delivery, start: int, size: int) -> Delivery:
    """`size` alerts of a delivery, from `start` on. Quarantined alerts come after the others."""
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
    """The receipts of all parts as one. Its id is the id of the first part."""
    return Receipt(
        receipts[0].delivery,
        tuple(each for receipt in receipts for each in receipt.verdicts),
        tuple(each for receipt in receipts for each in receipt.quarantined),
    )
