"""What would be decided now: the same working-through of a batch, on a record that only reads.

Nothing is written, claimed or queued, and Redis is not asked, because asking would hold what is
free. What the worker finds out when it looks at the target (bounds, locks, settling) is not known
here: an Act in a preview is the right to try.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from service.domain.alerts.alert import Alert
from service.domain.alerts.floods import Rate, rate_after
from service.domain.decisions.claims import BUSY_UNTIL, Cooldown, run_id
from service.domain.decisions.decision import Decision
from service.domain.rules.matching import RuleTrace
from service.ports.admission import (
    NOTHING_MORE,
    Changes,
    Claimed,
    Delivery,
    GateReply,
    IncidentRecord,
    NewRun,
    OnRecord,
    Sought,
    Transaction,
)
from service.triggers.alerts.batch import Batch
from service.triggers.alerts.candidates import RulesInForce, match_delivery

_NOT_ASKED = GateReply({}, available=True, asked=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """What one alert would lead to: the rules consulted, and a decision for each that wants it.

    The run of an Act is the id that it would get now.
    """

    alert: Alert
    traces: tuple[RuleTrace, ...]
    decisions: tuple[Decision, ...]


def preview(
    batch: Sequence[Delivery],
    *,
    reading: Transaction,
    rules: RulesInForce,
    now: float,
    refire_grace_s: float,
    new_id: Callable[[str], str],
) -> list[Preview]:
    """Decide on a batch without keeping anything; one preview for each alert, in order.

    `reading` is only read from. `now` is in seconds since the epoch.
    """
    wanted = [match_delivery(delivery, rules) for delivery in batch]
    work = Batch(
        transaction=ReadOnly(reading),
        book=rules.book,
        gate=_NOT_ASKED,
        now=now,
        refire_grace_s=refire_grace_s,
        new_id=new_id,
    )
    receipts = work.decide(batch, wanted)
    decided = (verdicted.decision for receipt in receipts for verdicted in receipt.verdicts)
    return [
        Preview(
            matched.alert,
            rules.index.explain(matched.alert),
            tuple(next(decided) for _ in matched.candidates),
        )
        for group in wanted
        for matched in group
    ]


class ReadOnly:
    """A transaction of admission that answers as the real one would and changes nothing.

    Remembers the claims it granted, so that claims taken later in a preview see them.
    """

    def __init__(self, reading: Transaction) -> None:
        self._reading = reading
        self._claimed: dict[str, Cooldown] = {}

    def read(
        self, identities: Collection[int], claims: Collection[str], more: Sought = NOTHING_MORE
    ) -> OnRecord:
        """As on record."""
        return self._reading.read(identities, claims, more)

    def cooldowns(self, claims: Collection[str]) -> dict[str, Cooldown]:
        """As on record."""
        return self._reading.cooldowns(claims)

    def claim(self, keys: Collection[str], now: float) -> dict[str, Claimed]:
        """Which claims would be won, without taking them."""
        on_record = self._reading.cooldowns(keys)
        return {key: self._claim(key, on_record.get(key), now) for key in keys}

    def _claim(self, key: str, on_record: Cooldown | None, now: float) -> Claimed:
        held = self._claimed.get(key) or on_record
        if held is not None and held.holds(now):
            return Claimed(won=False, cooldown=held)
        generation = held.generation + 1 if held is not None else 1
        won = Cooldown(key, generation, BUSY_UNTIL, run_id(key, generation))
        self._claimed[key] = won
        return Claimed(won=True, cooldown=won)

    def incidents(
        self, dedup_keys: Collection[str], identities: Collection[int]
    ) -> dict[str, IncidentRecord]:
        """As on record."""
        return self._reading.incidents(dedup_keys, identities)

    def incidents_of(self, identities: Collection[int]) -> dict[int, list[str]]:
        """None: what would follow from a resolve is not a decision on an alert."""
        return {}

    def count_incidents(self, fresh: Mapping[str, int], minute: int) -> dict[str, Rate]:
        """As if these were the first of their minute."""
        return {sender: rate_after(None, minute, more) for sender, more in fresh.items()}

    def write(self, changes: Changes, *, last: bool = False) -> None:
        """Nothing is kept."""

    def open_members(self, dedup_keys: Collection[str]) -> dict[str, int]:
        """As on record."""
        return self._reading.open_members(dedup_keys)

    def enqueue(self, runs: Collection[NewRun]) -> None:
        """Nothing is queued."""
