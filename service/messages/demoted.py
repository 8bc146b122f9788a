"""What people are told of a rule that has demoted itself. Pure."""

from __future__ import annotations

from service.domain.alerts.dedup import demoted_dedup_key
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import APPROVE
from service.domain.decisions.requests import Request
from service.messages.announcements import SOURCE, price_change
from service.messages.going_on import CLOSES, links_of_run, run_facts
from service.ports import Message, Page

_MEANS = {APPROVE: "From now on each of its changes needs a person's approval."}
_SHADOW = "From now on it changes nothing, and pages a person when it would have."


def promote(rule: str) -> str:
    """The command that takes it back."""
    return f"runbookd promote {rule} --why WHY"


def demoted(demotion: Demotion) -> Message:
    """That a rule has demoted itself, why, and what a person may do."""
    return Message(
        title=f"Demoted to {demotion.mode}: rule {demotion.rule}",
        text=(
            f"{demotion.why}. {_MEANS.get(demotion.mode, _SHADOW)} Only a person promotes it: look "
            "at what became of its changes first."
        ),
        fields=[
            ("See its changes", f"/api/v1/outcomes?rule={demotion.rule}"),
            ("Promote it", promote(demotion.rule)),
        ],
        context=f"rule {demotion.rule} · runbookd status",
    )


def page_instead(request: Request, plan: Plan) -> Page:
    """The page of a rule that is demoted to shadow, in place of the change that it would have
    made."""
    target, rule = request.target, request.origin.by
    change = f"{target.name}: {plan.change}"
    return Page(
        dedup_key=demoted_dedup_key(rule, target.name, request.direction),
        summary=(
            f"{change} would have been changed, and rule {rule} is demoted to shadow: decide "
            f"whether it helps ({request.origin.why.rstrip(' .')})"
        ),
        source=SOURCE,
        severity="critical",
        component=target.name,
        group=target.resource,
        details={
            "what would have been changed": change,
            "price": price_change(plan),
            "to do it all the same": f"runbookd run {request.action} {target.name} --step 1",
            "to let the rule act again": promote(rule),
            "what comes next": CLOSES,
            "asked for because": request.origin.why,
            **run_facts(request),
        },
        links=links_of_run(request),
    )
