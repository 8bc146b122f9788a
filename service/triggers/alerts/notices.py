"""What people hear of alerts that lead to nothing: that they were held, or could not be read.

A notice is a message that a worker sends. It has a claim of its own, as every run has, so it is
told once: a hold once for each cooldown, alerts that could not be read once an hour for each source
and reason, what a credential may not do once an hour for each credential and rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from service.domain.alerts.alert import Alert, Notification, Quarantined
from service.domain.decisions.claims import NOTIFY, Cooldown
from service.domain.decisions.decision import Check
from service.domain.decisions.requests import HELD, QUARANTINED, REFUSED, SHADOWED, STEADIED
from service.domain.durations import moment
from service.ports.admission import Delivery
from service.triggers.alerts.candidates import Candidate, Matched, alert_line

TOLD_AGAIN_S = 3_600.0
"""Seconds in which alerts of one source that cannot be read for one reason are told once. So are
alerts that people hold, and what one credential may not do by one rule."""
_SHOWN = 3
_LONGEST = 300
"""Characters of one reason that are told."""
_FIELD = re.compile("`([A-Za-z]+)`")


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told once for each generation of `claim`, and not again for `cooldown_s` seconds.

    `by` is HELD, STEADIED, QUARANTINED, SHADOWED or REFUSED. `subject` is the run that holds, the
    source, or the sender. It is empty where people hold it, by a pause, a lock or a freeze window,
    and where its own rule does.
    """

    claim: str
    by: str
    subject: str
    why: str
    cooldown_s: float
    alerts: tuple[str, ...] = ()


def hold_claim(claim: str) -> str:
    """The claim of the notice that this claim is in cooldown."""
    return f"held.{claim}"


def people_notice(
    candidate: Candidate, alert: Alert, episode: str, held: Check, now: float
) -> Notice:
    """That an alert asks for what a pause, a lock or a freeze window holds."""
    until = held.until if held.until is not None else now + TOLD_AGAIN_S
    why = (
        f"{alert_line(alert)}. Rule {candidate.rule.name} asks for {candidate.rule.action}, and "
        f"{held.saw}. It is decided again {moment(until, now)}, or as soon as that is ended, if "
        "the alert still fires then."
    )
    told_for_s = min(until - now, TOLD_AGAIN_S)
    return Notice(hold_claim(candidate.claim), HELD, "", why, told_for_s, (episode,))


def rule_notice(
    candidate: Candidate, alert: Alert, episode: str, held: Check, now: float
) -> Notice:
    """That an alert asks for what its own rule holds, until the rule lets go by itself."""
    when = f" {moment(held.until, now)}" if held.until is not None else ""
    why = (
        f"{alert_line(alert)}. Rule {candidate.rule.name} asks for {candidate.rule.action}, and "
        f"holds it: {held.saw}. It is decided again{when}, if the alert still fires then."
    )
    told_for_s = candidate.rule.cooldown.total_seconds()
    return Notice(hold_claim(candidate.claim), STEADIED, "", why, told_for_s, (episode,))


def shadow_notice(candidate: Candidate, alert: Alert, episode: str) -> Notice:
    """That a rule in shadow would have paged somebody."""
    why = (
        f"{alert_line(alert)}. Rule {candidate.rule.name} would have paged the person on call. "
        "It is in mode shadow, so nobody was."
    )
    return Notice(candidate.claim, SHADOWED, "", why, TOLD_AGAIN_S, (episode,))


def hold_notice(
    candidate: Candidate, alert: Alert, episode: str, cooldown: Cooldown, now: float
) -> Notice:
    """That an alert asks for what the cooldown of a run holds."""
    why = (
        f"{alert_line(alert)}. Rule {candidate.rule.name} asks for {candidate.rule.action}, which "
        f"the cooldown of {candidate.claim} holds. It is over {moment(cooldown.until, now)}."
    )
    return Notice(
        hold_claim(candidate.claim), HELD, cooldown.run, why, cooldown.until - now, (episode,)
    )


def refusal_claim(credential: str, rule: str) -> str:
    """The claim of the notice that this credential may not earn this rule."""
    return _claim_of("scope", credential, rule)


def refusal_claims(everything: Iterable[Matched]) -> set[str]:
    """The claims of all notices of that kind that the alerts of a batch may lead to."""
    asked = {
        each.asker
        for matched in everything
        if matched.apart is not None or matched.candidates[-1].refused
        for each in matched.candidates
    }
    return {refusal_claim(each.credential, each.rule) for each in asked if each is not None}


def refusal_notice(candidate: Candidate, alert: Alert, episode: str, delivery: Delivery) -> Notice:
    """That nothing follows from an alert, because its sender may not earn the rule."""
    rule = candidate.rule.name
    why = (
        f"{alert_line(alert)}. This alert came {_came(delivery)}, which may not earn rule {rule}. "
        "So nothing was changed, and nobody is paged. If it should earn the rule, name the rule in "
        "`scopes` of the rules file. If not, correct what sends the alert."
    )
    claim = refusal_claim(delivery.credential, rule)
    return Notice(claim, REFUSED, _sender(delivery), why, TOLD_AGAIN_S, (episode,))


def resolve_notice(
    candidate: Candidate, alert: Alert, episode: str, delivery: Delivery, check: Check
) -> Notice:
    """That a resolve ended nothing, and why."""
    why = (
        f"{alert_line(alert)}. A notification that came {_came(delivery)} says that it has "
        f"resolved, but {check.saw}. The alert still counts as firing, and its incident stays "
        "open. If it has really ended, close the incident at the pager."
    )
    claim = _claim_of("resolve", delivery.credential, candidate.rule.name)
    return Notice(claim, REFUSED, _sender(delivery), why, TOLD_AGAIN_S, (episode,))


def _claim_of(what: str, credential: str, rule: str) -> str:
    # A user's name may be long and hold anything; a run's id is a part of addresses.
    sender = blake2b(credential.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{what}-{rule}-{sender}.{NOTIFY}"


def _sender(delivery: Delivery) -> str:
    return delivery.credential or delivery.notification.source


def _came(delivery: Delivery) -> str:
    name, address = delivery.credential, delivery.address
    by = f"with the credential {name}" if name else "without a credential"
    return f"from {address} {by}" if address else by


def quarantine_notices(delivery: Delivery) -> Iterator[Notice]:
    """That alerts could not be read, for each field in which something was wrong."""
    notification = delivery.notification
    every = len(notification.alerts) + len(notification.quarantined)
    for claim, found in _by_field(notification).items():
        shown = [f"{each.index + 1}: {_cut(each.reason)}" for each in found[:_SHOWN]]
        more = f"\n… and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        why = (
            f"{len(found)} of {_alerts(every)} in a notification from {notification.source} could "
            "not be read, and nothing follows from it:\n" + "\n".join(shown) + more
        )
        yield Notice(claim, QUARANTINED, notification.source, why, TOLD_AGAIN_S)


def _by_field(notification: Notification) -> dict[str, list[Quarantined]]:
    found: dict[str, list[Quarantined]] = {}
    for each in notification.quarantined:
        field = _FIELD.search(each.reason)
        name = field[1] if field else "alert"
        found.setdefault(f"quarantine-{notification.source}-{name}.{NOTIFY}", []).append(each)
    return found


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
