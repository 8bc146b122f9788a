"""What people are told where changes do not help: what was tried, and what to look at. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.alerts.dedup import in_vain_dedup_key
from service.domain.durations import clock_time
from service.messages.announcements import SOURCE
from service.messages.going_on import CLOSES, context_of, explained, links_of_run, run_facts
from service.ports import Message, Page
from service.ports.outcomes import Outcome

_LOOK_AT = (
    "The cause is probably another one than the size of {target}. Look at what has changed since "
    "the alert began: a deploy, a slow query, a dependency that answers late, a full quota."
)


def page_in_vain(outcomes: Sequence[Outcome]) -> Page:
    """The page of a rule that gives up; `outcomes` are its changes without effect, oldest first."""
    request = outcomes[-1].request
    target = request.target
    return Page(
        dedup_key=in_vain_dedup_key(request.origin.by, target.name, request.direction),
        summary=f"It does not help: {_said(outcomes)}",
        source=SOURCE,
        severity="critical",
        component=target.name,
        group=target.resource,
        details={
            "what was tried": tried(outcomes),
            "what to look at": _LOOK_AT.format(target=target.name),
            "what comes next": f"Rule {request.origin.by} makes no further step. {CLOSES}",
            "to take back the last step": f"runbookd undo {request.id}",
            "asked for because": request.origin.why,
            **run_facts(request),
        },
        links=links_of_run(request),
    )


def given_up(outcomes: Sequence[Outcome]) -> Message:
    """The same in Slack."""
    request = outcomes[-1].request
    look_at = _LOOK_AT.format(target=request.target.name)
    return Message(
        title=f"It does not help: {request.action} of {request.target.name}",
        text=f"{_said(outcomes)} {look_at} The person on call is paged. {CLOSES}",
        fields=[
            ("Tried", "\n".join(tried(outcomes))),
            ("Rule", request.origin.by),
            ("See each check", explained(request.id)),
            ("Undo the last", f"runbookd undo {request.id}"),
        ],
        context=context_of(request),
        links=links_of_run(request),
    )


def tried(outcomes: Sequence[Outcome]) -> list[str]:
    """Each change in one line: the run, before and after, and when it ended."""
    return [
        f"{each.run}: "
        + (each.plan.change if each.plan else "changed")
        + f", {clock_time(each.judged.ended_at)}"
        for each in outcomes
    ]


def _said(outcomes: Sequence[Outcome]) -> str:
    request, count = outcomes[-1].request, len(outcomes)
    why = request.origin.why.rstrip(" .")
    changes = "1 change" if count == 1 else f"{count} changes in a row"
    return (
        f"{changes} of {request.target.name} had no effect, and what asked for it still fires "
        f"({why}). Rule {request.origin.by} gives up."
    )
