"""Keeps readings: each hour once, by whichever worker takes it first.

Prometheus is always asked for the whole hour once it is over, so an hour in which no worker lived
is read in the same way later. What the vendors tell is only known now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import structlog

from service.catalogue.registry import kind_spec
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.domain.readings.metrics import COUNT, DOLLARS, expressions
from service.domain.readings.readings import (
    BACK_S,
    DAY_S,
    HOUR_S,
    STEP_S,
    Reading,
    beginning,
    reading_of,
    readings_of_hours,
    wanted_hours,
)
from service.domain.rules.rules import Target
from service.engine.parts import WorkerParts

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 60.0
"""How often a worker asks the store which hours are missing, in seconds."""
TAKEN_FOR_S = 300.0
"""How long an hour is left to the worker that took it, in seconds, and to a Prometheus that did
not answer: ten questions of at most 10 s each take less."""
BATCH, BATCHES = 1_000, 20
"""Rows that are removed in one transaction, and transactions in one round: no statement is long,
and a year too many is gone within a day."""
_REPLICAS = "replicas"


class ReadingRound:
    """Reads the hours that are missing, and removes what is kept for too long; by any worker."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0
        self._looked_in = 0.0
        self._pruned_at = 0.0

    def __call__(self, _sign: bool) -> None:
        """One round."""
        at = self._parts.clock.monotonic()
        if at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        now = self._parts.clock.time()
        store = self._parts.readings
        wanted = wanted_hours(store.dealt_with(now - BACK_S - DAY_S, now), now)
        taken = store.take(wanted, now + TAKEN_FOR_S, now) if wanted else ()
        if taken:
            self._read(sorted(taken))
        self._prune(now)

    def _read(self, hours: list[float]) -> None:
        told = self._told_by_vendors()
        measured, complete = self._measured(hours)
        self._parts.readings.keep([*told, *measured], hours if complete else ())
        _log.info("hours_read", hours=len(hours), readings=len(measured), complete=complete)

    def _measured(self, hours: Collection[float]) -> tuple[list[Reading], bool]:
        """What Prometheus tells of these hours, and whether it answered: what it did not answer is
        asked for again."""
        metrics, book = self._parts.metrics, self._parts.book()
        if metrics is None:
            return [], True
        found: list[Reading] = []
        answers = 0
        until = max(hours) + HOUR_S - STEP_S
        for name, expression in expressions(book.readings if book else {}).items():
            try:
                samples = metrics.history(expression, min(hours), until, STEP_S)
            except VendorError as error:
                _log.warning("not_read", metric=name, why=str(error))
                if error.kind is not FailureKind.PERMANENT:
                    return found, False
                # It would be refused again, and must not keep the others from being read.
                continue
            answers += 1
            found += readings_of_hours(name, samples, hours)
        # Where every question is refused, it is the credential or the address, and not a question.
        return found, answers > 0

    def _told_by_vendors(self) -> list[Reading]:
        """What the targets are and cost now, once in each hour."""
        hour = beginning(self._parts.clock.time(), HOUR_S)
        book = self._parts.book()
        if book is None or hour == self._looked_in:
            return []
        self._looked_in = hour
        return [
            reading_of(metric, target.name, hour, [value])
            for target in book.targets.values()
            if kind_spec(target.kind).is_sold
            for metric, value in self._seen(target)
        ]

    def _seen(self, target: Target) -> Iterator[tuple[str, float]]:
        kind = kind_spec(target.kind)
        try:
            observed = self._parts.work_of(target).observe(target)
        except (VendorError, StepFailed) as error:
            _log.warning("not_looked_at", target=target.name, why=str(error))
            return
        count = kind.values(observed).get(_REPLICAS)
        if count is not None:
            yield COUNT, float(count)
        cost = kind.cost(observed)
        if cost is not None:
            yield DOLLARS, cost

    def _prune(self, now: float) -> None:
        """Remove what is older than it is kept, once an hour."""
        if now - self._pruned_at < HOUR_S:
            return
        parts = self._parts
        for _ in range(BATCHES):
            hours, days = now - parts.keep_hours_s, now - parts.keep_days_s
            if not parts.readings.prune(hours, days, BATCH):
                break
        self._pruned_at = now
