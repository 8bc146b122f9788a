"""Which rules want what of which alert: the candidates of a batch, before any I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.domain.alert import Alert, AlertKind
from service.domain.claims import claim_key, incident_key
from service.domain.decision import Check, Decision, Verdict
from service.domain.episodes import identity
from service.domain.matching import RuleIndex
from service.domain.rules import DEFAULT_RULE, NO_DATA_RULE, TEST_RULE, ActionName, Rule, RuleBook
from service.ports.admission import Delivery


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules that a batch is decided with: the book, and its index for matching."""

    book: RuleBook
    index: RuleIndex


@dataclass(frozen=True, slots=True)
class Wish:
    """One rule that wants to act on one alert, and the claim that this takes.

    `incident` is the dedup_key of the group's incident when the rule pages.
    """

    rule: Rule
    claim: str
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One alert of a delivery with everything that rules want of it."""

    alert: Alert
    identity: int
    wishes: tuple[Wish, ...]


def candidates(delivery: Delivery, index: RuleIndex) -> tuple[Candidate, ...]:
    """The alerts of a delivery, each with the wishes of the rules that match it."""
    return tuple(
        Candidate(
            alert,
            identity(alert.source, alert.fingerprint),
            tuple(_wish(rule, alert, delivery) for rule in rules_for(alert, index)),
        )
        for alert in delivery.notification.alerts
    )


def rules_for(alert: Alert, index: RuleIndex) -> tuple[Rule, ...]:
    """The rules that apply: never a scaling one without data, and never none but for a test."""
    if alert.kind is AlertKind.TEST:
        return ()
    if alert.kind is not AlertKind.CONDITION:
        return (NO_DATA_RULE,)
    return index.match(alert) or (DEFAULT_RULE,)


def claims_of(batch: Sequence[Sequence[Candidate]]) -> Iterator[str]:
    """The claims that the firing alerts of a batch would take; pages need none at the gate."""
    for delivery in batch:
        for candidate in delivery:
            if candidate.alert.firing:
                yield from (wish.claim for wish in candidate.wishes if wish.incident is None)


def reject_test(alert: Alert) -> Decision:
    """The verdict on a sender's test button."""
    saw = f"{alert.name or 'this alert'} is a test notification"
    return Decision(
        verdict=Verdict.REJECT,
        rule=TEST_RULE,
        action=ActionName.INVESTIGATE,
        target=None,
        direction=None,
        reason=f"{saw}: answered and shown, never acted on",
        guard="test",
        checks=(Check("test", passed=False, saw=saw),),
    )


def _wish(rule: Rule, alert: Alert, delivery: Delivery) -> Wish:
    notification = delivery.notification
    claim = claim_key(rule, alert, notification)
    pages = rule.action is ActionName.PAGE_ONCALL
    return Wish(rule, claim, incident_key(rule, alert, notification) if pages else None)
