"""Claims: the right to one run, from the cooldown of (target, direction).

Whether a claim is free is decided here from a cooldown's record, for the decision, for a replay
that only looks, and for the explanation alike; the store repeats the comparison in the statement
that takes the claim, so that among any number of deliveries one wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from service.domain.alerts.alert import Alert, Notification
from service.domain.alerts.dedup import PREFIX, dedup_key
from service.domain.decisions.decision import Check
from service.domain.durations import clock_time
from service.domain.rules.rules import Rule

BUSY_UNTIL = 9_999_999_999.0
"""`until` of a cooldown whose run is under way: the end is not known yet."""

COOLDOWN = "cooldown"
"""The guard of a claim whose cooldown is not over."""
NOTIFY = "notify"
"""The direction of a message or a page: nothing changes, but repeats are debounced all the same."""


@dataclass(frozen=True, slots=True)
class Cooldown:
    """How long (target, direction) is left alone, and after which run.

    `until` is in seconds since the epoch, `BUSY_UNTIL` while the run is under way.
    """

    key: str
    generation: int
    until: float
    run: str
    reason: str = ""

    @property
    def busy(self) -> bool:
        """Whether its run is still under way."""
        return self.until >= BUSY_UNTIL

    def holds(self, now: float) -> bool:
        """Whether a claim would be refused at `now`; at `until` itself it is free."""
        return self.until > now


def claim_key(rule: Rule, direction: str, alert: Alert, notification: Notification) -> str:
    """The claim that this rule takes to act on this alert; `direction` is that of its action.

    For a rule with a target it is its (target, direction), whichever rule asks. For a telling rule
    it is its group of alerts, so that a group is told once.
    """
    if rule.target is not None:
        return f"{rule.target}.{direction}"
    return telling_claim(rule.name, incident_key(rule, alert, notification), direction)


def incident_key(rule: Rule, alert: Alert, notification: Notification) -> str:
    """The pager's identity of this alert's group under this rule."""
    return dedup_key(
        source=notification.source,
        rule=rule.name,
        receiver=notification.receiver,
        group_labels=notification.group_labels,
        fingerprint=alert.fingerprint,
    )


def telling_claim(rule: str, key: str, direction: str) -> str:
    """The claim of a page or a message about the group with that dedup_key."""
    name = key.removeprefix(PREFIX)
    if "/" in name:
        # The page of a target, whose name may be long; a run's id has no slash.
        name = blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{rule}-{name[:16]}.{direction}"


def shadow_claim(claim: str) -> str:
    """The claim of a rule in shadow: it shows the true rhythm, and uses up nothing.

    Not with a slash: a run's id stands in addresses.
    """
    return f"shadow.{claim}"


def button_claim(source: str) -> str:
    """The claim of the message about a source's test button: one for each source."""
    return f"test-{source}.{NOTIFY}"


def run_id(key: str, generation: int) -> str:
    """The run that a claim entitles to: `api.out.7`."""
    return f"{key}.{generation}"


def check_cooldown(key: str, cooldown: Cooldown | None, now: float) -> Check:
    """The cooldown guard: passes when there is none, or it is over."""
    if cooldown is None:
        return Check(COOLDOWN, passed=True, saw=f"{key} has never been claimed")
    if not cooldown.holds(now):
        return Check(
            COOLDOWN, passed=True, saw=f"{key} has been free since {clock_time(cooldown.until)}"
        )
    if cooldown.busy:
        return Check("in_progress", passed=False, saw=f"run {cooldown.run} is under way on {key}")
    because = f" ({cooldown.reason})" if cooldown.reason else ""
    until = clock_time(cooldown.until)
    return Check(
        COOLDOWN,
        passed=False,
        saw=f"cooldown of {key} until {until}, after run {cooldown.run}{because}",
        until=cooldown.until,
    )
