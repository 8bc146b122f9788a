"""Decisions and the rules behind them, as plain values and as lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from service.cli.output import Rows, say, words
from service.domain.rules.matching import RuleTrace

_COLOURS = {"act": "green", "hold": "yellow", "reject": "red"}


def verdict_words(verdict: str) -> Text:
    """A verdict in its colour."""
    return words(verdict, _COLOURS.get(verdict, ""))


def trace_json(trace: RuleTrace) -> dict[str, Any]:
    """How one rule judged an alert."""
    return {
        "rule": trace.rule.name,
        "origin": str(trace.rule.origin),
        "matched": trace.matched,
        "matchers": [
            {"matcher": str(each.matcher), "saw": each.seen, "matched": each.matched}
            for each in trace.matchers
        ],
    }


def show_traces(traces: Sequence[RuleTrace]) -> None:
    """Every rule consulted, matcher by matcher."""
    shown = Rows("rule", "", "matcher", "saw")
    for trace in traces:
        for place, each in enumerate(trace.matchers):
            shown.add(
                trace.rule.name if place == 0 else "",
                words("matches", "green") if each.matched else words("no", "dim"),
                str(each.matcher),
                f'"{each.seen}"' if each.seen else "no such label",
            )
    shown.print()
    if not any(trace.matched for trace in traces):
        say("No rule matches: such an alert is investigated and told in Slack.")


def show_checks(shown: Rows, checks: list[dict[str, Any]]) -> None:
    """Add each guard, what it saw, and whether it let pass."""
    for check in checks:
        passed = words("  passed", "green") if check["passed"] else words("  held", "yellow")
        shown.add(passed, f"{check['guard']}: {check['saw']}")
