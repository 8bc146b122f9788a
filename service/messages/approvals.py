"""What people are asked, and told, of plans that need their approval. Pure."""

from __future__ import annotations

from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.approval import ACT, APPROVED, LAPSED, PAGE, REJECTED, plan_hash
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.durations import moment
from service.domain.slack import APPROVE, REJECT
from service.messages.announcements import SOURCE, price_change
from service.messages.going_on import context_of, links_of_run, run_facts
from service.ports import Message, Page
from service.ports.approvals import Asking

_OTHERWISE = {
    ACT: "If nobody decides by then, it is done.",
    PAGE: "If nobody decides by then, it is not done, and the person on call is paged.",
}
_NOT_DONE = "If nobody decides by then, it is not done."


def asked(
    request: Request, plan: Plan, why: str, approval: str, until: float, now: float
) -> Message:
    """The question. `until` and `now` are in seconds since the epoch."""
    terms = request.policy.approval
    otherwise = _OTHERWISE.get(terms.otherwise, _NOT_DONE)
    read = plan_hash(request.target.name, plan)
    return Message(
        title=f"Approve? {_change(request, plan)}",
        text=(
            f"Asked for because {request.origin.why.rstrip(' .')}. It needs approval: {why}. "
            f"{plan.downtime} It waits until {moment(until, now)}. {otherwise}"
        ),
        fields=[
            ("Price", price_change(plan)),
            ("May decide", ", ".join(terms.of)),
            ("Approve", f"runbookd approve {approval}"),
            ("Reject", f"runbookd reject {approval}"),
        ],
        context=context_of(request),
        links=links_of_run(request),
        buttons=[
            ("Approve", APPROVE, f"{approval} {read}"),
            ("Reject", REJECT, f"{approval} {read}"),
        ],
    )


def decided(asking: Asking, now: float) -> Message:
    """What the question is edited to once it is decided."""
    request = asking.request
    how = asking.state.replace("_", " ")
    when = moment(asking.decided_at or now, now)
    because = f": {asking.decided_why}" if asking.decided_why else ""
    return Message(
        title=f"{how.capitalize()}: {_change(request, asking.plan)}",
        text=f"{how.capitalize()} by {asking.decided_by}{because} ({when}). {_follows(asking)}",
        fields=[("Price", price_change(asking.plan)), ("Asked because", asking.why)],
        context=context_of(request),
        links=links_of_run(request),
    )


def page_undecided(asking: Asking, waited: str) -> Page:
    """The page of a plan that nobody decided on, where the rule says so."""
    request = asking.request
    return Page(
        dedup_key=run_dedup_key(asking.run),
        summary=f"{_change(request, asking.plan)} was not approved: {waited}. Nothing was changed.",
        source=SOURCE,
        severity="critical",
        component=request.target.name,
        group=request.target.resource,
        details={
            "asked for because": request.origin.why,
            "needs approval because": asking.why,
            "price": price_change(asking.plan),
            **run_facts(request),
            "what to type": f"runbookd retry {asking.run}",
        },
        links=links_of_run(request),
    )


def _change(request: Request, plan: Plan) -> str:
    return f"{request.target.name}: {plan.change}"


def _follows(asking: Asking) -> str:
    if asking.state == APPROVED:
        return f"Run {asking.next_run} looks again, and changes it if it is still the same."
    if asking.state == LAPSED:
        return "Nothing was changed."
    rests = "Nothing was changed, and it is not asked again within the rule's cooldown."
    return (
        rests if asking.state == REJECTED else f"{rests} `runbookd retry {asking.run}` asks anew."
    )
