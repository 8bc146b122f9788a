"""What a scaling run tells people: its message, the edits of it, its pages, its change event.

Pure texts. Whatever a vendor may not show literally is the provider's to escape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.alerts.dedup import blocked_dedup_key, bound_dedup_key, run_dedup_key
from service.domain.commands import NO_UNDO, to_type
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import JOB, LEVEL, PERSON, RETURN, SCENARIO, Request
from service.domain.durations import lasted, moment
from service.domain.links import Link
from service.domain.slack import PAUSE_IT, UNDO
from service.messages.going_on import command, context_of, links_of_run, run_facts
from service.ports import Message, Page

SOURCE = "runbookd"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run failed: the step that gave up, its sentence, and how the target was left.

    `wrote` is False where no write of the run can have taken effect.
    """

    step: str
    sentence: str
    left: str
    wrote: bool = True

    @property
    def told(self) -> list[str]:
        """The sentence, and how the target was left where the sentence does not say it."""
        return [self.sentence] if self.left in self.sentence else [self.sentence, self.left]


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """The arguments of `Pager.change`."""

    summary: str
    source: str
    details: Mapping[str, Any]
    links: Sequence[Link] = ()


def announced(request: Request, plan: Plan) -> Message:
    """Posted before the first write: what will change, why, what it costs and takes down."""
    return _message(
        request,
        f"{request.target.name}: {plan.change}",
        f"{_verb(request, done=False)} because {_why(request)}. {plan.downtime}".rstrip(),
        [*_fields(request, plan), *_to_type(request, "running")],
        [_pause(request)],
    )


def finished(
    request: Request,
    plan: Plan,
    took_s: float,
    cooldown_until: float | None = None,
    now: float = 0.0,
    failures: Sequence[str] = (),
    comes_back: str = "",
) -> Message:
    """What the announcement is edited to when the change is verified.

    `took_s` is in seconds, `cooldown_until` and `now` in seconds since the epoch. `failures` are
    the runs before it that failed: their pages are over. `comes_back` is the sentence that says
    when it is taken back, empty where it stays.
    """
    # A person's run has no cooldown.
    later = (cooldown_until or 0.0) > now
    next_step = _next_step(request, moment(cooldown_until or now, now)) if later else ""
    return _message(
        request,
        f"Done: {request.target.name}: {plan.change}",
        f"{_verb(request, done=True)} because {_why(request)}. Verified after {lasted(took_s)}."
        + next_step
        + (f" This closes the pages of {', '.join(failures)}." if failures else "")
        + " ".join(["", *filter(None, [comes_back, _kept_for(request, now)])]).rstrip(),
        [*_fields(request, plan), *_to_type(request, "succeeded")],
        [_pause(request), *_undo(request)],
    )


_SCALES = ("horizontal_scale", "vertical_scale", "scale_database")
"""The actions that make a target larger or smaller; any other one changes it."""
_OF_ITS_OWN = {
    "purge": ("Purging", "Purged"),
    "set_cache_rules": ("Setting cache rules", "Cache rules were set"),
    "set_cache_level": ("Setting the cache level", "The cache level was set"),
    "kill_queries": ("Ending sessions", "Sessions were ended"),
    "archive_rows": ("Moving old rows", "Moved old rows"),
    "optimize_database": ("Working on a table", "Worked on a table"),
    "set_flags": ("Setting feature flags", "Feature flags were set"),
    "set_database": ("Setting the database", "The database was set"),
    "set_cache_strategy": ("Setting how it caches", "How it caches was set"),
    "put_object": ("Putting an object", "The object was put"),
    "compress_assets": ("Compressing assets", "Assets were compressed"),
    "flush_cache": ("Flushing", "Flushed"),
    "remove_unused": ("Removing what is unused", "Removed what was unused"),
}
"""What an action that has words of its own does, and did."""


def _verb(request: Request, *, done: bool) -> str:
    """What is done: more is given, or what was given is taken back, or nothing is moved."""
    if request.origin.kind == RETURN:
        return "Taken back"
    if request.action in _SCALES:
        return ("Scaling", "Scaled")[done]
    return _OF_ITS_OWN.get(request.action, ("Changing", "Changed"))[done]


def _next_step(request: Request, when: str) -> str:
    if request.origin.kind in (RETURN, LEVEL):
        return ""  # `comes_back` says whether anything is left to be taken back
    if request.action in _OF_ITS_OWN:
        return f" It may be done again {when}. Its cooldown holds it until then."
    return f" The next step may follow {when}. Its cooldown holds more until then."


def _kept_for(request: Request, now: float) -> str:
    """For how long nothing is taken from what a person has set."""
    if not request.hold_s:
        return ""
    adds = "alerts may not add to it either" if request.pin else "alerts may add to it"
    return (
        f"It is held until {moment(now + request.hold_s, now)}: nothing is taken away by itself, "
        f"and {adds}. `runbookd release {request.target.name}` ends that."
    )


def shadowed(
    request: Request, plan: Plan, cooldown_until: float, now: float, *, demoted: bool = False
) -> Message:
    """Posted by a run in shadow: what would have been changed. `demoted` is whether its rule has
    put itself there.

    `cooldown_until` and `now` are in seconds since the epoch.
    """
    return _message(
        request,
        f"{'Plan' if request.origin.kind == PERSON else 'In shadow'}: {_attempt(request, plan)}",
        f"{_not_done(request, cooldown_until, now, demoted=demoted)} {plan.downtime}".rstrip(),
        _fields(request, plan),
    )


def _not_done(request: Request, cooldown_until: float, now: float, *, demoted: bool) -> str:
    if request.origin.kind == PERSON:
        return (
            f"{request.origin.by} asked what would be changed, because {_why(request)}. Nothing "
            "was changed."
        )
    if request.origin.kind == LEVEL:
        return (
            f"This would have been changed because {_why(request)}. Nothing was changed: the rules "
            f"are in mode shadow. {request.origin.by} is told again when something else holds."
        )
    mode = "has demoted itself to shadow, so a person is paged" if demoted else "is in mode shadow"
    return (
        f"This would have been changed because {_why(request)}. Nothing was changed: rule "
        f"{request.origin.by} {mode}. It decides again {moment(cooldown_until, now)}."
    )


def held(request: Request, hold: PlanHeld, next_try: str = "", *, paged: bool = False) -> Message:
    """Posted when the worker, having seen the target, changes nothing.

    `next_try` is the sentence that says when it is tried again; `paged` when somebody is told.
    """
    told = "The person on call is paged." if paged else ""
    said = [f"Asked for because {_why(request)}.", hold.reason, told, next_try]
    return _message(
        request,
        f"Held: {request.action} of {request.target.name}",
        " ".join(filter(None, said)),
        [("Guard", hold.guard), _asker(request), _FREE, *_to_type(request, "held")],
    )


def put_off(request: Request, plan: Plan, hold: PlanHeld, next_try: str = "") -> Message:
    """What the announcement is edited to when nothing was written and it is tried again later."""
    return _message(
        request,
        f"Put off: {_attempt(request, plan)}",
        f"Asked for because {_why(request)}. {hold.reason} {next_try}".rstrip(),
        [("Guard", hold.guard), *_fields(request, plan), _FREE, *_to_type(request, "held")],
    )


def failed(
    request: Request,
    plan: Plan | None,
    failure: Failure,
    *,
    paged: bool = True,
    next_try: str = "",
) -> Message:
    """What the announcement is edited to when the run gave up; `paged` when someone knows."""
    told = (
        "The person on call was paged."
        if paged
        else "The pager could not be reached: nobody was paged yet. It is tried "
        "again every minute; look at this now."
    )
    more = f"See each step: {command(request.id)}."
    return _message(
        request,
        f"Failed: {_attempt(request, plan)}",
        "\n".join(filter(None, [*failure.told, told, next_try, more])),
        [("Step", failure.step), *_fields(request, plan), *_after_failure(request, failure)],
        [_pause(request), *(_undo(request) if failure.wrote and plan is not None else [])],
    )


def page_for_failure(
    request: Request, plan: Plan | None, failure: Failure, *, next_try: str = ""
) -> Page:
    """The page of a failed run: what was tried, and how the target was left.

    Where nothing was written it is a warning, and one incident for the target and direction,
    however often it is tried.
    """
    tried = f"{_attempt(request, plan)} failed:"
    return Page(
        dedup_key=run_dedup_key(request.id)
        if failure.wrote
        else blocked_dedup_key(*_work(request)),
        summary=" ".join([tried, *failure.told]),
        source=SOURCE,
        severity="critical" if failure.wrote else "warning",
        component=request.target.name,
        group=request.target.resource,
        details={
            "what happened": failure.sentence,
            "step": failure.step,
            "how the target was left": failure.left,
            **_told_next(next_try),
            **{words.lower(): typed for words, typed in _after_failure(request, failure)},
            "asked for because": request.origin.why,
            **_facts(request, plan),
        },
        links=links_of_run(request),
    )


def page_at_bound(request: Request, hold: PlanHeld, *, next_try: str = "") -> Page:
    """The page of a target that can grow no further, while more is asked of it."""
    return Page(
        dedup_key=bound_dedup_key(*_work(request)),
        summary=f"{request.target.name} can grow no further: {hold.reason}",
        source=SOURCE,
        severity="critical",
        component=request.target.name,
        group=request.target.resource,
        details={
            "guard": hold.guard,
            "asked for because": request.origin.why,
            **_told_next(next_try),
            **{words.lower(): typed for words, typed in (_FREE, *_to_type(request, ""))},
            **hold.facts,
            **_facts(request, None),
        },
        links=links_of_run(request),
    )


def page_for_hold(
    request: Request, plan: Plan | None, hold: PlanHeld, *, next_try: str = ""
) -> Page:
    """The page of a target that nothing can be done for now: a warning, for nothing was changed."""
    failure = Failure(hold.guard, hold.reason, "Nothing was changed.", wrote=False)
    page = page_for_failure(request, plan, failure, next_try=next_try)
    return replace(page, summary=f"{_attempt(request, plan)} cannot be done now: {hold.reason}")


def page_for_resolve(request: Request, dedup_key: str) -> Page:
    """What stands for an incident that is over while its resolve waits for the pager."""
    return Page(
        dedup_key=dedup_key,
        summary=f"{request.target.name}: run {request.id} succeeded",
        source=SOURCE,
        severity="info",
        component=request.target.name,
    )


def change_event(request: Request, plan: Plan) -> ChangeEvent:
    """What the pager shows beside incidents once the change is verified; it wakes nobody."""
    return ChangeEvent(
        summary=f"{_attempt(request, plan)} ({request.origin.why})",
        source=SOURCE,
        details=_facts(request, plan),
        links=links_of_run(request),
    )


def price_change(plan: Plan) -> str:
    """What the change costs a month: `$24 → $36 a month (+$12)`, and where that comes from where it
    is not the vendor's own list of today."""
    before, after = plan.price_before, plan.price_after
    if before is None or after is None:
        return "not known"
    sign = "-" if after < before else "+"
    change = f"${before:,.10g} → ${after:,.10g} a month ({sign}${abs(after - before):,.10g})"
    return f"{change}, by {plan.price_source}" if plan.price_source else change


def _work(request: Request) -> tuple[str, str]:
    return request.target.name, request.direction


def _why(request: Request) -> str:
    return request.origin.why.rstrip(" .")


def _asker(request: Request) -> tuple[str, str]:
    """Who decided: a rule, or a person by name."""
    if request.origin.kind == RETURN:
        return "Taken back by", f"rule {request.origin.by}"
    if request.origin.kind == LEVEL:
        return "Level", request.origin.by
    if request.origin.kind == JOB:
        return "Job", request.origin.by
    if request.origin.kind == SCENARIO:
        return "Scenario", f"{request.origin.by}, step {request.step} ({request.parent})"
    return ("Asked by" if request.origin.kind == PERSON else "Rule"), request.origin.by


def _fields(request: Request, plan: Plan | None) -> list[tuple[str, str]]:
    fields = [_asker(request), ("Action", request.action)]
    return fields if plan is None else [*fields, ("Price", price_change(plan))]


_FREE = ("To undo or pay", "nothing: nothing was changed")
"""The field of a run that was held."""


def _after_failure(request: Request, failure: Failure) -> list[tuple[str, str]]:
    """What to type after a failure. What wrote nothing has nothing to be undone."""
    typed = to_type(
        request.id, "failed", request.target.name, wrote=failure.wrote, action=request.action
    )
    return typed if failure.wrote else [_FREE, *typed]


def _to_type(request: Request, status: str) -> list[tuple[str, str]]:
    return to_type(request.id, status, request.target.name, action=request.action)


def _pause(request: Request) -> tuple[str, str, str]:
    return "Pause 1 h", PAUSE_IT, request.target.name


def _undo(request: Request) -> list[tuple[str, str, str]]:
    """The button of a run that can be undone."""
    return [] if request.action in NO_UNDO else [("Undo", UNDO, request.id)]


def _message(
    request: Request,
    title: str,
    text: str,
    fields: Sequence[tuple[str, str]],
    buttons: Sequence[tuple[str, str, str]] = (),
) -> Message:
    """A message about a run, with all that there is to go on from."""
    return Message(title, text, fields, context_of(request), links_of_run(request), buttons)


def _told_next(next_try: str) -> dict[str, str]:
    return {"next try": next_try} if next_try else {}


def _attempt(request: Request, plan: Plan | None) -> str:
    if plan is None:
        return f"{request.action} of {request.target.name}"
    return f"{request.target.name}: {plan.change}"


def _facts(request: Request, plan: Plan | None) -> dict[str, Any]:
    facts = run_facts(request)
    if plan is None:
        return facts
    return {
        **facts,
        "what": plan.what,
        "before": plan.before,
        "after": plan.after,
        "price": price_change(plan),
    }
