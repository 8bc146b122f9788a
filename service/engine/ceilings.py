"""How far an alert may go where a level holds the target: up to the ceiling in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.catalogue.registry import kind_spec
from service.catalogue.steps.bounds import ALREADY_THERE
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.policy import OFF, SHADOW
from service.domain.decisions.requests import ALERT, REPLAY, Request, Wanted
from service.domain.levels.resolve import Part, standing
from service.engine.parts import WorkerParts


@dataclass(frozen=True, slots=True)
class Reach:
    """A request with its target as far as it may go now, and the ceilings of levels that say so, by
    the name of the attribute. `short` is whether the alert asks for more than these."""

    request: Request
    ceilings: Mapping[str, Part]
    short: bool = False

    @property
    def told(self) -> str:
        """Which ceilings count for an alert, in a sentence without its full stop; empty where none
        does."""
        name = self.request.target.name
        return " and ".join(
            f"alerts may bring {what} of {name} to {part.value}, the ceiling of level {part.by}"
            for what, part in self.ceilings.items()
        )

    def held(self, made: Plan | PlanHeld) -> Plan | PlanHeld:
        """The same, where a ceiling is the reason of a hold with the level that states it."""
        if isinstance(made, Plan) or not self.ceilings:
            return made
        if self.short and made.guard == ALREADY_THERE:
            reason = f"{self.request.target.name} can have no more; nothing was changed."
            made = PlanHeld("max_replicas", reason, at_bound=True)
        if not made.at_bound:
            return made
        return replace(made, reason=f"{made.reason} Levels hold it: {self.told}.")


def reach_of(request: Request, parts: WorkerParts, now: float) -> Reach:
    """How far a request may go. Only what an alert asks for is bound by the ceilings of levels, and
    only while levels act by this worker's rules, or did until a moment ago: else `max` of its
    target counts."""
    book = parts.book()
    if request.origin.kind not in (ALERT, REPLAY) or book is None:
        return Reach(request, {})
    target = request.target
    held = [name for of, name in book.levels.attributes if of == target.name]
    if not held or book.policy.mode in (OFF, SHADOW) or not parts.levels.binds(book.hash, now):
        return Reach(request, {})
    grown = replace(book.levels, baselines=parts.levels.baselines())
    standings = {name: standing(grown, (target.name, name), now) for name in held}
    ceilings = {
        name: part
        for name, holds in standings.items()
        for part in holds.parts
        if part.what == "ceiling" and part.by is not None
    }
    if not ceilings:
        return Reach(request, {})
    values = {name: int(part.value) for name, part in ceilings.items()}
    reaching = kind_spec(target.kind).reaching(target, values)
    wanted = tuple(_within(each, values) for each in request.wanted)
    short = wanted != request.wanted
    return Reach(replace(request, on=reaching, wanted=wanted), ceilings, short)


def _within(wanted: Wanted, ceilings: Mapping[str, int]) -> Wanted:
    """A count that an alert names, and at most the ceiling."""
    most = ceilings.get(wanted.attribute)
    if most is None or not isinstance(wanted.to, int):
        return wanted
    return replace(wanted, to=min(wanted.to, most))
