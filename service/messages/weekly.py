"""What people are told of a week. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.messages.costs import summary
from service.ports import Message

_PAGES = "page_oncall"


def week_title(report: Mapping[str, Any]) -> str:
    """Which week, how many runs, and how many pages."""
    runs = sum(sum(each.values()) for each in report["runs"].values())
    pages = report["runs"].get(_PAGES, {}).get("succeeded", 0)
    return (
        f"The week from {report['from']} to {report['to']}: {_many(runs, 'run')}, "
        f"{_many(pages, 'page')} by rules"
    )


def week_summary(report: Mapping[str, Any]) -> str:
    """How the runs ended, what the days cost, what the month comes to, and how each growth stands
    beside what was measured."""
    grown = "".join(f" {_growth(each)}" for each in report.get("growths", ()))
    return f"{_ended(report)} {_days(report)} {summary(report['cost'])}{grown}"


def weekly_message(report: Mapping[str, Any], context: str) -> Message:
    """The report as one message; its picture comes into its thread."""
    return Message(week_title(report), week_summary(report), _facts(report), context)


def without_picture(message: Message, because: str) -> Message:
    """The same message, which says why no picture follows it."""
    return replace(message, text=f"{message.text} No picture: {because}")


def _growth(each: Mapping[str, Any]) -> str:
    """One growth: what was planned, what was read, and the week ahead by both."""
    counts = " ".join(_counted(one) for one in each["counts"])
    holds = f" It also holds {', '.join(each['holds'])}." if each["holds"] else ""
    by = each["because"]
    if not by:
        monthly = each["growth_a_month"]
        by = (
            f"The load was {each['load']:.2f} times that of the week before it began, and grows by "
            f"{monthly['mid']:.0%} a month ({monthly['low']:.0%} to {monthly['high']:.0%}). The "
            "rules' plan holds all the same: change `weeks` in the rules where the readings are "
            "right."
        )
    return f"Growth {each['growth']}, with {each['week']} ahead: {counts}{holds} {by}"


def _counted(one: Mapping[str, Any]) -> str:
    name = f"{one['attribute']} of {one['target']}"
    read = "no reading" if one["read"] is None else f"{one['read']:.1f} on average"
    last = "nothing was planned" if one["planned"] is None else f"at least {one['planned']} planned"
    following = _priced(one["next"], one["next_dollars"])
    by_readings = ""
    if one["by_readings"] is not None:
        found = _priced(one["by_readings"], one["by_readings_dollars"])
        by_readings = f", and by the readings {found}"
    return f"{name} last week: {last}, {read}; next week: {following} planned{by_readings}."


def _priced(count: int | None, dollars: float | None) -> str:
    if count is None:
        return "not known yet"
    return f"{count}" if dollars is None else f"{count} (${dollars:,.2f} a month)"


def _ended(report: Mapping[str, Any]) -> str:
    totals: dict[str, int] = {}
    for each in report["runs"].values():
        for status, count in each.items():
            totals[status] = totals.get(status, 0) + count
    if not totals:
        return "Nothing was asked for."
    return f"Runs: {_listed(totals)}."


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _days(report: Mapping[str, Any]) -> str:
    known = [each["dollars"] for each in report["days"] if each["dollars"] is not None]
    if not known:
        return "No readings of dollars are kept of these days."
    days = _many(len(known), "day")
    return f"The targets cost ${sum(known):,.2f} on {days} with readings."


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    done = [(action, _listed(counts)) for action, counts in report["runs"].items()]
    return [*done, *((each["metric"], _measured(each)) for each in report["indicators"])]


def _measured(each: Mapping[str, Any]) -> str:
    unit = f" {each['unit']}" if each["unit"] else ""
    days = _many(each["days"], "day")
    return f"{each['mean']:,.1f}{unit} on average, {each['high']:,.1f}{unit} at most ({days})"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
