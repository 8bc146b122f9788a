"""Which rules an alert was held against, as plain JSON: for the read API and the terminal."""

from __future__ import annotations

from typing import Any

from service.domain.alerts.alert import Alert
from service.domain.rules.matching import RuleIndex, RuleTrace
from service.domain.rules.rules import RuleBook


def consulted(book: RuleBook, index: RuleIndex, alert: Alert) -> dict[str, Any]:
    """Every rule consulted, with what each of its matchers saw, and the hash of the rules."""
    return {"hash": book.hash, "consulted": [trace_json(each) for each in index.explain(alert)]}


def not_consulted(why: str) -> dict[str, Any]:
    """What stands there when the rules in force cannot be used; `why` is told."""
    return {"hash": None, "consulted": [], "invalid": why}


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
