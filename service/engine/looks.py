"""Looks at the targets beside the runs: what they cost, and what a person has changed."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from service.catalogue.registry import kind_spec
from service.domain.capacity.ledger import Value
from service.domain.errors import StepFailed, VendorError
from service.domain.rules.rules import Target
from service.engine import outbox
from service.engine.parts import WorkerParts
from service.messages.coming_back import set_by_a_person
from service.ports.ledger import HOLD_S

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 30.0
"""How often a worker asks the store which targets have not been looked at for long, in seconds."""
LOOK_EVERY_S = 600.0
"""How long ago a target was looked at before it is looked at again, in seconds."""


def look(target: Target, parts: WorkerParts) -> None:
    """See what a target costs and how it is now. One that cannot be looked at is left as known."""
    began_at = parts.clock.time()
    try:
        observed = parts.work_of(target).observe(target)
    except (VendorError, StepFailed) as error:
        _log.warning("not_looked_at", target=target.name, why=str(error))
        return
    note(target, kind_spec(target.kind).values(observed), began_at, parts)
    if any(each.name == target.name for each in parts.counted()):
        cost = kind_spec(target.kind).cost(observed)
        parts.spend.saw(target.name, cost, began_at)


def note(target: Target, values: Mapping[str, Value], began_at: float, parts: WorkerParts) -> None:
    """Keep what a look has shown that began at `began_at`, and tell what a person has changed."""
    now = parts.clock.time()
    for was in parts.ledger.saw(target.name, values, began_at, now):
        value = values[was.attribute]
        _log.info("set_by_a_person", target=target.name, was=was.value, now=value)
        outbox.post(set_by_a_person(target, was, value, now + HOLD_S, now), parts)


class LookRound:
    """Looks at the targets that a budget counts, and at those that a run has ever changed, each
    every ten minutes; by any worker."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0
        self._looked_at: dict[str, float] = {}

    def __call__(self, _sign: bool) -> None:
        """One round."""
        parts, at = self._parts, self._parts.clock.monotonic()
        if at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        targets = {each.name: each for each in (*parts.counted(), *self._changed())}
        if not targets:
            return
        seen = {each.target: each.seen_at for each in parts.spend.known()}
        for name, target in targets.items():
            now = parts.clock.time()
            last = max(seen.get(name, 0.0), self._looked_at.get(name, 0.0))
            if now - last >= LOOK_EVERY_S:
                self._looked_at[name] = now
                look(target, parts)

    def _changed(self) -> list[Target]:
        book = self._parts.book()
        if book is None:
            return []
        names = {each.target for each in self._parts.ledger.entries()}
        return [each for name, each in book.targets.items() if name in names]
