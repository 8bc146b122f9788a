"""Rules that demote themselves: too few of their changes have cleared their alerts.

A rule goes from `act` to `approve`, and from there to `shadow`. Only a person promotes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from service.domain.decisions.decision import Check
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.expected import CLEARED, Slo
from service.domain.decisions.policy import ACT, APPROVE, SHADOW, Policy, careful
from service.domain.durations import clock_time

DEMOTED = "demoted"
"""The check that says that a rule has demoted itself; it holds nothing."""
_NEXT = {ACT: APPROVE, APPROVE: SHADOW}


def next_mode(slo: Slo, results: Sequence[str], mode: str) -> str | None:
    """The mode that a rule in `mode` demotes itself to; None where it does not.

    `results` are those of its last judged changes since it was demoted or promoted, as many as the
    slo counts, or fewer where there are no more.
    """
    if len(results) < slo.of or results.count(CLEARED) >= slo.wanted:
        return None
    return _NEXT.get(mode)


def why_demoted(slo: Slo, results: Sequence[str]) -> str:
    """Why, in a sentence without its full stop."""
    return (
        f"{results.count(CLEARED)} of the last {slo.of} changes have cleared their alerts, and its "
        f"slo asks for {slo.cleared:.10g} of them"
    )


def as_demoted(policy: Policy, demotion: Demotion | None) -> Policy:
    """The policy that is in force: the more careful mode of the two."""
    if demotion is None:
        return policy
    mode = careful((policy.mode, demotion.mode))
    if mode == policy.mode:
        return policy
    return replace(policy, mode=mode, demoted=True)


def told_demoted(demotion: Demotion | None) -> Check | None:
    """What a decision shows of it; None where the rule is as it was written."""
    if demotion is None:
        return None
    saw = (
        f"rule {demotion.rule} has demoted itself to mode {demotion.mode} at "
        f"{clock_time(demotion.since)}: {demotion.why}"
    )
    return Check(DEMOTED, passed=True, saw=saw)
