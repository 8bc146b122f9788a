"""A round over all droplets that may be off because of a run: each is watched, and brought on.

The record in SQL is the only thing that counts here. So it heals a restart, an adoption, and a look
that was never queued.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from service.engine.off_watch import OffDroplet
from service.engine.parts import WorkerParts
from service.engine.queue import look_id
from service.ports.offs import OffRecord

_log = structlog.get_logger(__name__)

FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 300.0
"""Between two looks at a droplet that stays off after its run: doubled each time. A look itself
lasts up to 45 s, so the first minutes are tried nearly without a pause."""


def look_reason(record: OffRecord) -> str:
    """Why the next look at a droplet is queued; each look has one of its own."""
    return f"on.{record.tries}"


def next_look_at(record: OffRecord, now: float) -> float:
    """When a droplet that has just been looked at is to be looked at again."""
    return now + min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2.0 ** min(record.tries, 10))


class OffRound:
    """One round, by the supervisor of one worker.

    `statuses` gives the engine's status of those workflows that exist, `over` those that end one.
    """

    def __init__(
        self,
        parts: WorkerParts,
        executor: str,
        statuses: Callable[[list[str]], Mapping[str, str]],
        over: Collection[str],
    ) -> None:
        self._parts = parts
        self._executor = executor
        self._statuses = statuses
        self._over = over

    def __call__(self) -> None:
        """Watch what nobody watches, forget what is over, queue the looks that are due."""
        # Read before the records: a droplet that is watched from now on is not taken for one that
        # is over.
        watched = self._parts.off_watch.runs()
        records = self._parts.offs.still_open()
        for run_id in watched - {record.run for record in records}:
            self._parts.off_watch.end(run_id)
        if records:
            self._watch(records)
            self._look(records)

    def _watch(self, records: Sequence[OffRecord]) -> None:
        """Watch the droplets whose worker is dead; the others are watched by their worker."""
        alive = set(self._parts.leases.unretired())
        for record in records:
            if record.holder not in alive:
                off_for_s = max(0.0, self._parts.clock.time() - record.since)
                droplet = OffDroplet(record.run, record.droplet, record.resource)
                self._parts.off_watch.watch(droplet, off_for_s)

    def _look(self, records: Sequence[OffRecord]) -> None:
        """Queue a look at each droplet that neither its run nor a look is at work on."""
        looks = {record.run: look_id(record.run, look_reason(record)) for record in records}
        statuses = self._statuses([*looks, *looks.values()])
        now = self._parts.clock.time()
        for record in records:
            run, look = (statuses.get(one) for one in (record.run, looks[record.run]))
            at_work = any(one is not None and one not in self._over for one in (run, look))
            if at_work or record.next_at > now:
                continue
            if look is not None:
                # It has ended and said nothing: the next one is another.
                self._parts.offs.looked(record.run, record.tries, now)
                continue
            _log.warning("droplet_left_off", run=record.run, droplet=record.droplet)
            self._parts.reconcile(record.run, look_reason(record), 0.0)
