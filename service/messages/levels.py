"""What people are told of a level that is new, or says something else than before. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.messages.announcements import price_change
from service.ports import Message


def begins(levels: Sequence[str], request: Request, plan: Plan) -> Message:
    """Levels are about to act for the first time: told one round before they do."""
    target, several = request.target, len(levels) > 1
    named = f"Levels {', '.join(levels)} are" if several else f"Level {levels[0]} is"
    return Message(
        title=f"New in the rules: {target.name}: {plan.change}",
        text=(
            f"{named} new in the rules, or changed. {request.origin.why}. This is done in the next "
            f"round, ten seconds from now or more. {plan.downtime}"
        ).rstrip(),
        fields=[
            ("Level", request.origin.by),
            ("Action", request.action),
            ("Price", price_change(plan)),
            ("Hold it back", f"runbookd pause {target.name} --for 1h --why WHY"),
        ],
        context=f"rules {request.rules_hash} · runbookd levels",
        links=((target.console, f"{target.name}: the vendor's console"),),
    )
