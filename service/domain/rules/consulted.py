"""Which rules an alert was held against, as plain JSON: for the read API and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.alerts.alert import Alert
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.demotion import as_demoted
from service.domain.rules.matching import RuleIndex, RuleTrace
from service.domain.rules.rules import RuleBook


def consulted(book: RuleBook, index: RuleIndex, alert: Alert) -> dict[str, Any]:
    """Every rule consulted, with what each of its matchers saw, and the hash of the rules."""
    return {"hash": book.hash, "consulted": [trace_json(each) for each in index.explain(alert)]}


def rules_told(
    book: RuleBook, outcomes: Mapping[str, Any], demotions: Mapping[str, Demotion]
) -> list[dict[str, Any]]:
    """The rules in force, in their order, each with what became of its changes; None where nothing
    is expected of them. `mode` is what the rules say, `in_force` the more careful one of that and
    of the demotion."""
    return [
        {
            "name": rule.name,
            "origin": str(rule.origin),
            "action": rule.action,
            "target": rule.target,
            "mode": rule.policy.mode,
            "in_force": as_demoted(rule.policy, demotions.get(rule.name)).mode,
            "demotion": demotions[rule.name].to_json() if rule.name in demotions else None,
            "expected": None if rule.policy.expected is None else rule.policy.expected.to_json(),
            "outcomes": outcomes.get(rule.name),
        }
        for rule in book.rules
    ]


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
