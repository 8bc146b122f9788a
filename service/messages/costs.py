"""What people are told of what the month costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from service.domain.alerts.dedup import PREFIX
from service.domain.costs.costs import PAGED_FROM, shown
from service.messages.announcements import SOURCE
from service.ports import Message, Page

MOST_LINES = 12
"""Lines of what costs most; a message of Slack holds no more that anybody reads."""
_TYPED = "runbookd cost"


def amount(text: str | None) -> str:
    """An amount of a report, as people read it."""
    return shown(None if text is None else Decimal(text))


def over_budget(report: Mapping[str, Any], percent: int, month: str, context: str) -> Message:
    """That the month is projected to reach a share of the budget."""
    return Message(
        title=(
            f"{month} is projected to cost {amount(report['projection'])}: {percent} % or more of "
            f"the budget of {amount(report['budget'])}"
        ),
        text=f"{summary(report)} {_more(percent)}",
        fields=facts(report),
        context=context,
    )


def _more(percent: int) -> str:
    if percent >= PAGED_FROM:
        return "A person was paged. Nothing was taken away: decide what is not needed."
    return "Nothing was taken away. Each such threshold is told once a month."


def cost_report(report: Mapping[str, Any], title: str, context: str) -> Message:
    """What the month costs, whatever the budget says."""
    return Message(title=title, text=summary(report), fields=facts(report), context=context)


def summary(report: Mapping[str, Any]) -> str:
    """Two or three sentences: booked, running, projected, and what is missing from these."""
    said = [
        *(_booked(each) for each in report["booked"]),
        _running(report),
        _projected(report),
    ]
    if not report["complete"]:
        said.append(f"This is not all of it: {_missing(report)}.")
    return " ".join(said)


def _running(report: Mapping[str, Any]) -> str:
    hour, month = amount(report["dollars_hour"]), amount(report["dollars_month"])
    return f"What runs now costs {hour} an hour, {month} in a whole month."


def _booked(booked: Mapping[str, Any]) -> str:
    if booked["dollars"] is None:
        return f"What {booked['seller']} has booked is unknown: {booked['why'].rstrip('.')}."
    difference = Decimal(booked["dollars"]) - Decimal(booked["counted"])
    return (
        f"{booked['seller']} has booked {amount(booked['dollars'])} this month; by what runs now "
        f"it would be {amount(booked['counted'])} (difference {shown(difference)})."
    )


def _projected(report: Mapping[str, Any]) -> str:
    if report["projection"] is None:
        return "So what the month comes to is unknown."
    by = f", {report['percent']} % of the budget of {amount(report['budget'])}"
    return (
        f"The month comes to {amount(report['projection'])}"
        f"{by if report['budget'] is not None else '; the rules have no budget'}."
    )


def _missing(report: Mapping[str, Any]) -> str:
    prices = [
        f"nobody knows what {each['kind']} {each['name']} costs" for each in report["unknown"]
    ]
    return "; ".join([*prices, *(f"not read: {each.rstrip('.')}" for each in report["unread"])])


def facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What costs most, the dearest first."""
    dearest = dearest_first(report["lines"])
    shown_lines = [
        (
            f"{each['kind']} {each['name']}",
            f"{amount(each['dollars_month'])} a month, {each['what']}",
        )
        for each in dearest[:MOST_LINES]
    ]
    rest = dearest[MOST_LINES:]
    if not rest:
        return shown_lines
    total = sum((Decimal(each["dollars_month"] or 0) for each in rest), Decimal(0))
    return [*shown_lines, (f"{len(rest)} others", f"{shown(total)} a month: `{_TYPED}`")]


def dearest_first(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The lines in order; those whose price is unknown come first, because they may be dearest."""
    return sorted(
        lines,
        key=lambda each: (
            each["dollars_month"] is not None,
            -Decimal(each["dollars_month"] or 0),
            each["name"],
        ),
    )


def budget_page(report: Mapping[str, Any], percent: int, month: str, run: str) -> Page:
    """The page for a month that is far over the budget: one incident a month."""
    return Page(
        dedup_key=f"{PREFIX}budget/{month}",
        summary=(
            f"{month} is projected to cost {amount(report['projection'])}, {report['percent']} % "
            f"of the budget of {amount(report['budget'])}"
        ),
        source=SOURCE,
        severity="error",
        details={
            "what is known": summary(report),
            "what costs most": [": ".join(each) for each in facts(report)],
            "threshold": f"{percent} %",
            "what to type": _TYPED,
            "run": run,
        },
    )
