"""What is known of a change before its target is looked at: the facts of the first guards."""

from __future__ import annotations

from service.domain.decisions.decision import Check
from service.domain.decisions.guards import Prospect, held_by_people
from service.domain.decisions.requests import LEVEL, PERSON, RETURN, SCENARIO, Request
from service.domain.decisions.returns import check_calm_since
from service.domain.levels.acting import CALM_S
from service.engine.calm import calm_of
from service.engine.parts import WorkerParts


def prospect_of(request: Request, parts: WorkerParts, now: float) -> Prospect:
    """All of them but the lock, which is taken by asking for it."""
    runs = parts.runs
    return Prospect(
        target=request.target.name,
        wanted=runs.still_wanted(request, now) if request.origin.needs_alert else None,
        settles_until=_settles_until(request, parts),
        now=now,
        cancelled=runs.cancelled(request.id),
        calm=_calm(request, parts, now),
        level=parts.levels.check(request, now) if request.origin.kind == LEVEL else None,
        **held_by_people(request, parts.controls.in_force(), now),
    )


def _calm(request: Request, parts: WorkerParts, now: float) -> Check | None:
    """Whether it is calm enough to take away; None of a request that need not wait for that."""
    if request.origin.kind == RETURN:
        return calm_of(request, parts, now)
    if request.origin.kind == LEVEL and request.removes:
        name = request.target.name
        return check_calm_since(name, parts.ledger.asking_more(name, now), CALM_S, now)
    return None


def _settles_until(request: Request, parts: WorkerParts) -> float:
    """Until when the target settles for this request; people and scenarios do not wait for it."""
    if request.origin.kind in (PERSON, SCENARIO):
        return 0.0
    return parts.runs.settles_until(request.target.name, adds=not request.removes)
