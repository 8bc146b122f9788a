"""Who of the people with tokens can decide on what the rules ask. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from service.domain.decisions.approval import Approval
from service.domain.decisions.budget import ASK
from service.domain.decisions.policy import APPROVE
from service.domain.people import Person, Role
from service.domain.rules.rules import Rule, RuleBook

_NAMED = 3
"""Rules that a sentence names."""


def nobody_decides(book: RuleBook, people: Iterable[Person]) -> Iterator[str]:
    """A sentence for each role or group that rules ask for approval, and that no token has."""
    had = {word for each in people for word in (*each.roles, *each.groups)}
    asking: dict[str, list[str]] = {}
    for rule in book.rules:
        for word in rule.policy.approval.of if _may_ask(rule) else ():
            asking.setdefault(word, []).append(rule.name)
    for scenario in book.scenarios.values():
        for word in scenario.approval.of if scenario.approval is not None else ():
            asking.setdefault(word, []).append(f"scenario {scenario.name}")
    yield from _nobody_signs(book, had)
    for word, rules in asking.items():
        if word in had:
            continue
        more = f" and {len(rules) - _NAMED} more" if len(rules) > _NAMED else ""
        who = "an admin" if Role.ADMIN in had else "whoever types beside the store"
        yield (
            f"No token has the role or group {word}, which {', '.join(rules[:_NAMED])}{more} may "
            f"ask for approval (approval.from): {who} has to decide then."
        )


def _nobody_signs(book: RuleBook, had: Container[str]) -> Iterator[str]:
    """A sentence for each role that scenarios ask to sign, and that no token has as a group."""
    asked: dict[str, list[str]] = {}
    for scenario in book.scenarios.values():
        gate = scenario.signoff
        for role in gate.roles if gate is not None else ():
            asked.setdefault(role, []).append(scenario.name)
    for role, names in asked.items():
        if role not in had:
            yield (
                f"No token has the group {role}, which signs scenario {', '.join(names)} "
                "(signoff): whoever types beside the store has to sign then."
            )


def _may_ask(rule: Rule) -> bool:
    """Whether a plan of this rule may wait for a person."""
    policy = rule.policy
    over_budget = policy.budget is not None and policy.budget.over == ASK
    return policy.mode == APPROVE or over_budget or policy.approval.of != Approval().of
