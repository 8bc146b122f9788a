"""Runs that watch: looks that are due one by one, by whichever worker takes them.

The run's workflow only puts the watch on record, so that a watch of two hours takes up no slot.
The run itself goes on until its watch has ended. A look is kept before people are told of it. A
worker that dies between the two leaves it to the next one, which tells it before it looks anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from service.catalogue.context import Record
from service.catalogue.registry import kind_spec
from service.domain.decisions.requests import Request
from service.domain.errors import (
    FailureKind,
    StepFailed,
    StoreConflict,
    StoreUnavailable,
    VendorError,
)
from service.domain.readings.metrics import COUNT, DOLLARS, expressions
from service.domain.watching import Seen, Taken, Watched, ending, looked, watched
from service.engine import outbox, reports
from service.engine.messages import unheard
from service.engine.outcomes import cooldown_end
from service.engine.parts import WorkerParts
from service.engine.unforeseen import end_unreadable, end_visibly, sentence_of
from service.messages.going_on import COSTS_NOTHING
from service.messages.investigate import NO_PROMETHEUS
from service.messages.watch import Course, over, plan_of, summary, watching
from service.ports.runs import Outcome, StoredRun
from service.ports.watches import Watch
from service.retry import call_with_retries

_log = structlog.get_logger(__name__)

HOLD_S = 120.0
"""For how long a look is left to the worker that took it, in seconds: the readings take 40 s at
most, and Slack 30 s."""
READ_FOR_S = 20.0
"""No further reading is begun in a look that has gone on for so many seconds."""
_ATTEMPTS, _BUDGET_S = 2, 10.0
POSTED = "watch_posted"
"""The intent to post the message."""


def begin_watch(request: Request, parts: WorkerParts) -> Record:
    """Put the watch on record; its first look is due at once."""
    now = parts.clock.time()
    if said := parts.runs.cancelled(request.id):
        return _conclude(request, Outcome("cancelled", said, now), parts)
    if request.only_plans:
        return _conclude(request, Outcome("shadow", _plan(request, parts), now), parts)
    ends_at = now + watched(request.options).lasts_s
    parts.watches.put(request.id, now, ends_at)
    return {"ends_at": ends_at}


def _plan(request: Request, parts: WorkerParts) -> str:
    """What would be watched, and what one look shows now."""
    asked = watched(request.options)
    return f"{plan_of(asked, _looked(Seen(), asked, parts))} {COSTS_NOTHING}"


class WatchRound:
    """Looks once for each watch that is due; called with each sign of it, on its own thread."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """All that is due now."""
        parts = self._parts
        while (watch := parts.watches.take(parts.clock.time(), HOLD_S)) is not None:
            try:
                _look_after(watch, parts)
            except (StoreUnavailable, StoreConflict):
                raise
            except Exception as error:
                # It must not be tried for ever, nor hide the watches after it.
                _log.exception("watch_raised", run=watch.run)
                _give_up(watch, error, parts)


def _give_up(watch: Watch, error: Exception, parts: WorkerParts) -> None:
    sentence = sentence_of(error, "The look")
    try:
        end_visibly(parts, watch.run, sentence, watch.token)
    except (StoreUnavailable, StoreConflict):
        raise
    except Exception:
        _log.exception("watch_unreadable", run=watch.run)
        end_unreadable(parts, watch.run, sentence)
    parts.watches.end(watch.run, parts.clock.time())


def _look_after(watch: Watch, parts: WorkerParts) -> None:
    """One look, and what people are told of it."""
    run = parts.runs.get(watch.run)
    if run is None or run.ended:
        parts.watches.end(watch.run, parts.clock.time())
        return
    asked = watched(run.request.options)
    seen = watch.seen
    if not seen.untold:
        seen = _next(watch, asked, parts)
        if not parts.watches.save(watch, seen):
            return  # another worker has taken it meanwhile
    _tell(watch, run, asked, seen, parts)


def _next(watch: Watch, asked: Watched, parts: WorkerParts) -> Seen:
    """What is known after this look; a watch that was cancelled looks no more."""
    if said := parts.runs.cancelled(watch.run):
        return ending(watch.seen, f"{said}.", cancelled=True)
    seen = _looked(watch.seen, asked, parts)
    now = parts.clock.time()
    if now >= watch.ends_at:
        return ending(seen, over(asked, watch.began_at, watch.ends_at, now))
    return seen


def _looked(seen: Seen, asked: Watched, parts: WorkerParts) -> Seen:
    now = parts.clock.time()
    state, of_target = _at_vendor(asked, parts)
    until = parts.clock.monotonic() + READ_FOR_S
    taken = {
        term.name: of_target[term.name]
        if term.name in (COUNT, DOLLARS)
        else take_reading(term.name, until, parts)
        for term in asked.terms
    }
    return looked(seen, asked.terms, taken, now, state)


def _at_vendor(asked: Watched, parts: WorkerParts) -> tuple[Taken | str, Mapping[str, Taken]]:
    """How the target is, in words, and its readings; or why it could not be looked at."""
    if not asked.target:
        return "", {}
    book = parts.book()
    target = book.targets.get(asked.target) if book else None
    if target is None:
        return _nothing(f"The rules in force have no target {asked.target}.")
    kind = kind_spec(target.kind)
    try:
        observed = parts.work_of(target).observe(target)
    except (VendorError, StepFailed) as error:
        return _nothing(error.sentence)
    state = kind.state(observed)
    count, cost = kind.values(observed).get("replicas"), kind.cost(observed)
    none = f"{target.name} has none that its vendor tells."
    return ", ".join(f"{name} {value}" for name, value in state.items()), {
        COUNT: Taken(None, none) if count is None else Taken(float(count)),
        DOLLARS: Taken(None, none) if cost is None else Taken(cost),
    }


def _nothing(why: str) -> tuple[Taken, Mapping[str, Taken]]:
    missing = Taken(None, why)
    return missing, {COUNT: missing, DOLLARS: missing}


def take_reading(name: str, until: float, parts: WorkerParts) -> Taken:
    """What Prometheus tells, or why it does not; never raises for what it does."""
    book, metrics, clock = parts.book(), parts.metrics, parts.clock
    if metrics is None:
        return Taken(None, f"{NO_PROMETHEUS}.")
    expression = expressions(book.readings if book else {}).get(name)
    if expression is None:
        return Taken(None, f"The rules in force have no reading {name}.")
    if clock.monotonic() >= until:
        return Taken(None, "Prometheus took too long for the readings before it.")
    try:
        value = call_with_retries(
            lambda: metrics.query(expression), clock=clock, attempts=_ATTEMPTS, budget_s=_BUDGET_S
        )
    except VendorError as problem:
        return Taken(None, problem.sentence)
    return Taken(value, f"Prometheus has no data for {expression}." if value is None else "")


def _tell(watch: Watch, run: StoredRun, asked: Watched, seen: Seen, parts: WorkerParts) -> None:
    """Make the message say what the look has shown, and put down when the next one is due."""
    if not parts.watches.owned(watch):
        return  # a worker that was stopped for long must not tell what is old
    next_at = min(seen.at + asked.every_s, max(watch.ends_at, seen.at))
    refused = None
    if seen.looks or run.message is not None:
        course = Course(watch.began_at, watch.ends_at, next_at)
        refused = _say(run, asked, seen, course, parts)
    if refused is None and not seen.ended:
        parts.watches.told(watch, replace(seen, untold=False), next_at)
        return
    ended = refused or _outcome(run.request, asked, seen, parts)
    _conclude(run.request, ended, parts)
    parts.watches.end(watch.run, parts.clock.time())


def _say(
    run: StoredRun, asked: Watched, seen: Seen, course: Course, parts: WorkerParts
) -> Outcome | None:
    """Post the message once, and edit it from then on. How the run ends where Slack refuses it."""
    request = run.request
    message = watching(request, asked, seen, course)
    ref = run.message
    if ref is None:
        posted = parts.runs.intend(run.id, POSTED, parts.clock.time())
        if parts.outbox.replace(outbox.place_of(run.id), message, parts.clock.time()):
            return None
        # It may have been told late since the run was read.
        stored = parts.runs.get(run.id)
        ref = stored.message if stored is not None else None
        if ref is None and posted.repeated:
            message = watching(request, asked, seen, replace(course, again=True))
    if ref is not None:
        outbox.edit(ref, message, parts, run.id)
        return None
    told = outbox.post_or_keep(message, parts, run=run.id)
    if not isinstance(told, VendorError):
        parts.runs.set_message(run.id, told)
    elif told.kind is FailureKind.PERMANENT:
        paged = reports.page(unheard(request, message, told), parts)
        who = "the person on call is paged" if paged else "the page waits"
        return Outcome("failed", f"nobody could be told: {told}; {who}", parts.clock.time())
    return None


def _outcome(request: Request, asked: Watched, seen: Seen, parts: WorkerParts) -> Outcome:
    until = cooldown_end(parts.clock.time(), request.cooldown_s)
    if seen.cancelled:
        return Outcome("cancelled", seen.ended.removesuffix("."), until)
    return Outcome("succeeded", f"watched {summary(asked, seen)}", until)


def _conclude(request: Request, outcome: Outcome, parts: WorkerParts) -> Record:
    now = parts.clock.time()
    parts.runs.conclude(request.id, outcome, now)
    parts.locks.cool_down(request.claim, request.id, outcome.cooldown_until, now)
    return {"status": outcome.status, "reason": outcome.reason}
