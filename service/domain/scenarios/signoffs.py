"""Sign-offs: who has to sign for a scenario, before its first step and after its last. Pure.

A sign-off is bound to the hash of the plan that was signed. Another plan is asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

ROLES = ("devops", "finance", "cto")
"""Who can sign: a person may sign as each of these that is a group of their token."""
BEFORE, AFTER = "before", "after"
WITHIN_S = 86_400.0
"""Seconds from its beginning until which everybody of `after` has to have signed (runbook,
Scaling Checklist)."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who has to sign for a scenario: roles of `ROLES`.

    `before` sign before its first step; of an emergency any one of them does. `above_budget` sign
    too where the plan does not fit the budget. `after` sign once its steps are over. `one_person`
    is whether the same person may sign for two roles.
    """

    before: tuple[str, ...] = ()
    above_budget: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    one_person: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that sign, each once."""
        return tuple(dict.fromkeys((*self.before, *self.above_budget, *self.after)))

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a scenario."""
        return {
            "before": list(self.before),
            "above_budget": list(self.above_budget),
            "after": list(self.after),
            "one_person": self.one_person,
        }


def gate_from_json(fields: Mapping[str, Any]) -> Gate:
    """What `Gate.to_json` wrote."""
    return Gate(
        tuple(fields["before"]),
        tuple(fields["above_budget"]),
        tuple(fields["after"]),
        fields["one_person"],
    )


@dataclass(frozen=True, slots=True)
class Signoff:
    """One role's sign-off: by whom, when (seconds since the epoch), of which plan, and a note.
    `phase` is BEFORE or AFTER."""

    role: str
    phase: str
    who: str
    at: float
    plan_hash: str
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """For the API and the terminal."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat()
        return {**asdict(self), "at": at.replace("+00:00", "Z")}


def missing(
    wanted: Sequence[str], phase: str, plan_hash: str, signoffs: Sequence[Signoff]
) -> tuple[str, ...]:
    """Which of these roles have not signed this plan in this phase, in their order."""
    signed = {each.role for each in signoffs if (each.phase, each.plan_hash) == (phase, plan_hash)}
    return tuple(dict.fromkeys(each for each in wanted if each not in signed))


def conflict(new: Signoff, signoffs: Sequence[Signoff], *, one_person: bool) -> str:
    """Why a sign-off cannot be given beside these; empty where it can."""
    for each in signoffs:
        if each.plan_hash != new.plan_hash:
            continue
        if (each.role, each.phase) == (new.role, new.phase):
            return f"{each.who} has signed this plan as {each.role} already"
        if each.who == new.who and each.role != new.role and not one_person:
            return (
                f"{each.who} has signed as {each.role}, and nobody signs for two roles. Another "
                f"person has to sign as {new.role}"
            )
    return ""
