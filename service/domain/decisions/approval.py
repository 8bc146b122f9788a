"""Approval: a plan that waits for a person, bound to exactly what it would change.

The run that asks ends as soon as it has asked; nobody waits inside a run. The approval keeps the
run's claim. Whoever approves starts another run, which looks and plans anew. If its plan is another
one, it asks again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.decisions.planning import Plan
from service.domain.people import Person, Role

HOLD, PAGE, ACT = "hold", "page", "act"
OTHERWISE = (HOLD, PAGE, ACT)
"""What follows when nobody decides in time."""
WAITING, APPROVED, REJECTED, LAPSED, TIMED_OUT = (
    "waiting",
    "approved",
    "rejected",
    "lapsed",
    "timed_out",
)
STATES = (WAITING, APPROVED, REJECTED, LAPSED, TIMED_OUT)
"""What an approval may be; all but the first are decided."""
DEFAULT_WAIT_S = 900.0
BY_APPROVAL_WAIT_S = 86_400.0
"""Where every plan of an action waits for a person: nothing is lost meanwhile, so whoever may
approve need not sit at the screen when a job asks. A day reaches everybody who works that day."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who may approve, how long is waited, and what follows when nobody decides.

    `of` are roles or groups; a person needs one of them. `wait_s` is in seconds.
    """

    of: tuple[str, ...] = (Role.APPROVER.value,)
    wait_s: float = DEFAULT_WAIT_S
    otherwise: str = HOLD

    def may_decide(self, person: Person) -> bool:
        """Whether this person may approve or reject; an admin always may."""
        if person.may(Role.ADMIN):
            return True
        return any(
            word in person.groups or word in {role.value for role in person.roles}
            for word in self.of
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        return {"of": list(self.of), "wait_s": self.wait_s, "otherwise": self.otherwise}


def default_terms(*, by_approval: bool) -> Approval:
    """What holds where nobody has said anything else; `by_approval` is whether every plan of the
    action waits for a person."""
    return Approval(wait_s=BY_APPROVAL_WAIT_S) if by_approval else Approval()


def approval_from_json(fields: Mapping[str, Any]) -> Approval:
    """What `to_json` wrote."""
    return Approval(tuple(fields["of"]), fields["wait_s"], fields["otherwise"])


def plan_hash(target: str, plan: Plan) -> str:
    """What is approved: the target, what it has and shall have, the dollars and the downtime.

    12 hexadecimal digits. What changes with each look, such as the last deployment, is no part.
    """
    facts = [
        target,
        plan.what,
        plan.before,
        plan.after,
        plan.price_before,
        plan.price_after,
        plan.downtime,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
