"""Shows verdicts, the rules that were consulted, and the checks of guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from service.cli.output import Rows, say, words

_COLOURS = {"act": "green", "hold": "yellow", "reject": "red"}


def verdict_words(verdict: str) -> Text:
    """A verdict in its colour."""
    return words(verdict, _COLOURS.get(verdict, ""))


def show_traces(traces: Sequence[dict[str, Any]]) -> None:
    """Print each rule that was consulted and what each matcher saw
    (`domain/rules/consulted.py`)."""
    shown = Rows("rule", "", "matcher", "saw")
    for trace in traces:
        for place, each in enumerate(trace["matchers"]):
            shown.add(
                trace["rule"] if place == 0 else "",
                words("matches", "green") if each["matched"] else words("no", "dim"),
                each["matcher"],
                f'"{each["saw"]}"' if each["saw"] else "no such label",
            )
    shown.print()
    if not any(trace["matched"] for trace in traces):
        say("No rule matches: such an alert is investigated and told in Slack.")


def show_checks(shown: Rows, checks: list[dict[str, Any]]) -> None:
    """Add a row for each check: whether it passed, its guard, and what the guard saw."""
    for check in checks:
        passed = words("  passed", "green") if check["passed"] else words("  held", "yellow")
        shown.add(passed, f"{check['guard']}: {check['saw']}")
