"""Which rules want what of which alert: the candidates of a batch, before any I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.catalogue.registry import action_spec
from service.catalogue.spec import Effect
from service.domain.alerts.alert import Alert, AlertKind
from service.domain.alerts.episodes import identity_of, refused_identity_of
from service.domain.decisions.claims import button_claim, claim_key, incident_key, shadow_claim
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.demotion import as_demoted
from service.domain.decisions.guards import Asker
from service.domain.decisions.policy import SHADOW
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import (
    DEFAULT_RULE,
    NO_DATA_RULE,
    TEST_RULE,
    WATCHDOG_RULE,
    Rule,
    RuleBook,
)
from service.domain.rules.scopes import Scope
from service.domain.scenarios.scenarios import start_claim
from service.domain.watchdogs import is_watchdog
from service.ports.admission import Delivery


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules that a batch is decided with: the book, and its index for matching.

    `shared` are the candidates that are the same for every alert, by the names of their rules; each
    is made when it is first asked for.
    """

    book: RuleBook
    index: RuleIndex
    shared: dict[str, Candidate] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One rule that wants to act on one alert, and the claim that this takes.

    `incident` is the dedup_key of the group's incident when the rule pages. `unmeasured` says why
    the rule may change nothing, where no value was measured. `ignored` is whether the rule asks for
    nothing. `asker` says whether the sender's credential may earn the rule, None where no scopes
    are in force. What is unmeasured, ignored or refused takes no claim.

    Alerts that ask for the same share one candidate. So in a storm what is said of a candidate is
    found out once, and it is told apart by what it is: to compare its rule would cost more.
    """

    rule: Rule
    claim: str
    incident: str | None = None
    unmeasured: str = ""
    ignored: bool = False
    asker: Asker | None = None

    @property
    def refused(self) -> bool:
        """Whether the sender's credential may not earn the rule."""
        return self.asker is not None and not self.asker.may_earn

    @property
    def wants_claim(self) -> bool:
        """Whether a firing alert asks for the claim."""
        return not self.unmeasured and not self.ignored and not self.refused


@dataclass(frozen=True, slots=True)
class Matched:
    """One alert of a delivery with everything that rules want of it.

    `apart` is the identity under which it is kept when its sender may earn nothing by it, None for
    every other alert.
    """

    alert: Alert
    identity: int
    candidates: tuple[Candidate, ...]
    apart: int | None = None


def match_delivery(delivery: Delivery, rules: RulesInForce) -> tuple[Matched, ...]:
    """The alerts of a delivery, each with the candidates of the rules that match it.

    A rule that the sender's credential may not earn is the last one that is tried.
    """
    alerts = delivery.notification.alerts
    wants = _Wants(delivery, rules)
    if not rules.book.scopes.limits(delivery.credential):
        return tuple([Matched(alert, identity_of(alert), wants.of(alert)) for alert in alerts])
    scope = rules.book.scopes.of(delivery.credential)
    return tuple([_within(scope, alert, delivery, wants) for alert in alerts])


def _within(scope: Scope, alert: Alert, delivery: Delivery, wants: _Wants) -> Matched:
    """An alert with the candidates that its sender's scope lets through, and the first that it
    does not."""
    candidates: list[Candidate] = []
    for candidate in wants.of(alert):
        may_earn = _may_earn(scope, candidate.rule, candidates)
        candidates.append(wants.asked(candidate, may_earn=may_earn))
        if not may_earn:
            break
    # What is judged again is on record as a real alert already.
    is_apart = candidates[0].refused and not delivery.kept_as
    apart = refused_identity_of(alert) if is_apart else None
    return Matched(alert, identity_of(alert), tuple(candidates), apart)


def _may_earn(scope: Scope, rule: Rule, before: Sequence[Candidate]) -> bool:
    """Two built-in rules go with others: whoever may earn a rule may try whether a test arrives,
    and is heard when an alert of that rule has no data."""
    if scope.may_earn(rule.name):
        return True
    if rule is TEST_RULE:
        return not scope.earns_nothing
    return rule is NO_DATA_RULE and bool(before)


class _Wants:
    """What the rules want of the alerts of one delivery."""

    def __init__(self, delivery: Delivery, rules: RulesInForce) -> None:
        self._delivery = delivery
        self._index = rules.index
        self._watchdogs = rules.book.watchdogs
        self._of_targets = rules.shared
        self._of_group: dict[str, Candidate] = {}
        self._asked: dict[tuple[Candidate, bool], Candidate] = {}

    def of(self, alert: Alert) -> tuple[Candidate, ...]:
        """One for each rule that applies. Someone is told of an alert without data, unless it is
        to be ignored."""
        if alert.kind is AlertKind.TEST:
            return (Candidate(TEST_RULE, button_claim(alert.source)),)
        rules = self._index.match(alert)
        if alert.measured:
            rules = rules or self._unmatched(alert)
            return tuple([self._measured(rule, alert) for rule in rules])
        if not any(_tells(rule) for rule in rules) and not (rules and all(map(ignores, rules))):
            rules = (*rules, NO_DATA_RULE)
        return tuple([_candidate(rule, alert, self._delivery) for rule in rules])

    def _unmatched(self, alert: Alert) -> tuple[Rule, ...]:
        return (WATCHDOG_RULE if is_watchdog(alert, self._watchdogs) else DEFAULT_RULE,)

    def asked(self, candidate: Candidate, *, may_earn: bool) -> Candidate:
        """The same candidate, with who asks for it."""
        known = self._asked.get((candidate, may_earn))
        if known is None:
            asker = Asker(self._delivery.credential, candidate.rule.name, may_earn)
            known = self._asked[candidate, may_earn] = replace(candidate, asker=asker)
        return known

    def _measured(self, rule: Rule, alert: Alert) -> Candidate:
        """Every alert asks the same of a target. Who is told depends on its group."""
        if rule.target is not None:
            known = self._of_targets
        elif self._delivery.notification.group_labels:
            known = self._of_group
        else:
            return _candidate(rule, alert, self._delivery)
        candidate = known.get(rule.name)
        if candidate is None:
            candidate = known[rule.name] = _candidate(rule, alert, self._delivery)
        return candidate


def claims_of(batch: Sequence[Sequence[Matched]]) -> set[str]:
    """The claims that the firing alerts of a batch would take; pages need none at the gate."""
    return claims_at_gate(asking(matched for delivery in batch for matched in delivery))


def asking(alerts: Iterable[Matched]) -> set[Candidate]:
    """The candidates of the alerts that fire."""
    return {
        candidate for matched in alerts if matched.alert.firing for candidate in matched.candidates
    }


def claims_at_gate(candidates: Iterable[Candidate]) -> set[str]:
    """The claims of those of them that are asked for at the gate."""
    return {each.claim for each in candidates if each.incident is None and each.wants_claim}


def _candidate(rule: Rule, alert: Alert, delivery: Delivery) -> Candidate:
    notification = delivery.notification
    action = action_spec(rule.action)
    if action.starts:
        # Whichever group of alerts asks: one scenario is started once.
        claim = start_claim(str(rule.options["scenario"]))
    else:
        claim = claim_key(rule, action.direction_of(rule.options), alert, notification)
    if rule.policy.mode == SHADOW:
        claim = shadow_claim(claim)
    pages = action.effect is Effect.CALLS and rule.policy.mode != SHADOW
    incident = incident_key(rule, alert, notification) if pages else None
    unmeasured = "" if alert.measured or not changes(rule) else _unmeasured(alert)
    return Candidate(rule, claim, incident, unmeasured, ignores(rule))


def changes(rule: Rule) -> bool:
    """Whether the rule's action changes a target, or starts a scenario that does."""
    action = action_spec(rule.action)
    return action.effect is Effect.CHANGES or action.starts


def demotable(candidate: Candidate) -> bool:
    """Whether the rule may have demoted itself."""
    expected = candidate.rule.policy.expected
    return expected is not None and expected.slo is not None


def in_force(
    batch: Sequence[Sequence[Matched]], demotions: Mapping[str, Demotion]
) -> list[tuple[Matched, ...]]:
    """The alerts of a batch with the rules as they are in force: some may have demoted themselves.
    One that is demoted to shadow has the claim of a rule in shadow. Alerts that shared a candidate
    share one again."""
    known: dict[Candidate, Candidate] = {}

    def as_it_is(candidate: Candidate) -> Candidate:
        if candidate not in known:
            known[candidate] = _in_force(candidate, demotions.get(candidate.rule.name))
        return known[candidate]

    return [
        tuple(
            [replace(each, candidates=tuple(map(as_it_is, each.candidates))) for each in delivery]
        )
        for delivery in batch
    ]


def _in_force(candidate: Candidate, demotion: Demotion | None) -> Candidate:
    policy = as_demoted(candidate.rule.policy, demotion)
    if policy is candidate.rule.policy:
        return candidate
    claim = shadow_claim(candidate.claim) if policy.mode == SHADOW else candidate.claim
    return replace(candidate, rule=replace(candidate.rule, policy=policy), claim=claim)


def gives_up(rule: Rule) -> bool:
    """Whether the rule makes no further change where so many had no effect."""
    return rule.policy.expected is not None and rule.policy.expected.give_up > 0


def ignores(rule: Rule) -> bool:
    """Whether the rule asks for nothing."""
    return action_spec(rule.action).effect is Effect.NOTHING


def _tells(rule: Rule) -> bool:
    action = action_spec(rule.action)
    return action.effect in (Effect.CALLS, Effect.TELLS) and not action.starts


def alert_line(alert: Alert) -> str:
    """An alert in one line for a person: its name and its summary."""
    name = alert.name or "unnamed alert"
    summary = alert.annotations.get("summary") or alert.annotations.get("description")
    return f"{name}: {summary}" if summary else name


def _unmeasured(alert: Alert) -> str:
    failed = alert.kind is AlertKind.DATASOURCE_ERROR
    what = "could not evaluate its rule" if failed else "has no data"
    return f"the sender {what}: no value was measured"
