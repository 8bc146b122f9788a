"""What people hear of alerts that lead to nothing: that they were held, or could not be read.

A notice is a message that a worker sends. It has a claim of its own, as every run has, so it is
told once: a hold once for each cooldown, alerts that could not be read once an hour for each source
and reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.domain.alerts.alert import Alert, Notification, Quarantined
from service.domain.decisions.claims import NOTIFY, Cooldown
from service.domain.decisions.decision import Check
from service.domain.decisions.requests import HELD, QUARANTINED, SHADOWED
from service.domain.durations import moment
from service.ports.admission import Delivery
from service.triggers.alerts.candidates import Candidate, alert_line

TOLD_AGAIN_S = 3_600.0
"""Seconds in which alerts of one source that cannot be read for one reason are told once. So are
alerts that people hold."""
_SHOWN = 3
_LONGEST = 300
"""Characters of one reason that are told."""
_FIELD = re.compile("`([A-Za-z]+)`")


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told once for each generation of `claim`, and not again for `cooldown_s` seconds.

    `by` is HELD, QUARANTINED or SHADOWED. `subject` is the run that holds, or the source. It is
    empty where people hold it, by a pause, a lock or a freeze window.
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
