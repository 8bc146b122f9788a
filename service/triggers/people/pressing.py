"""What a person does by a button in Slack: the verbs of the operator API, each done once.

A button may be pressed twice, and by two people at a time. An approval knows by itself that it is
decided. A pause that is in force, and an undo that was asked for, are seen here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from service.domain.decisions.approval import APPROVED, REJECTED
from service.domain.decisions.controls import PAUSE
from service.domain.people import BadRequest, Conflict, Person, Role, require_role
from service.domain.scenarios.scenarios import is_scenario_run
from service.domain.slack import APPROVE, PAUSE_IT, REJECT, SIGN_AS, UNDO
from service.triggers.people.asked import Scope
from service.triggers.people.people import People

PAUSED_FOR = "1h"
"""For how long the button pauses a target."""
_WHY = "by the button in Slack"


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered: to the presser alone, or with `public` in the thread, for everybody."""

    text: str
    public: bool = False


@dataclass(slots=True)
class Pressing:
    """Does what a button says. Every method raises a `Refusal`, or StoreUnavailable."""

    people: People
    _one_by_one: threading.Lock = field(default_factory=threading.Lock, init=False)

    def press(self, person: Person, action: str, value: str) -> Said:
        """Do what the button with this `action_id` and value says."""
        with self._one_by_one:
            if action in (APPROVE, REJECT):
                return self._decide(person, APPROVED if action == APPROVE else REJECTED, value)
            if action == PAUSE_IT:
                return self._pause(person, value)
            if action == UNDO:
                return self._undo(person, value)
            if action.startswith(SIGN_AS):
                return self._sign(person, action.removeprefix(SIGN_AS), value)
        raise BadRequest(f"There is no button {action[:60]!a}; nothing was done.")

    def _decide(self, person: Person, state: str, value: str) -> Said:
        approval, _, plan = value.partition(" ")
        if is_scenario_run(approval):
            self.people.scenarios.decide(person, approval, state, "", plan)
            return Said(f"Scenario {approval} is {state} by you.")
        made = self.people.decide(person, approval, state, "", plan)
        follows = f" Run {made.next_run} looks again first." if made.next_run else ""
        return Said(f"Approval {approval} is {state} by you.{follows}")

    def _sign(self, person: Person, role: str, value: str) -> Said:
        run, _, plan = value.partition(" ")
        made = self.people.scenarios.sign(person, run, role, _WHY, plan)
        return Said(
            f"{person.name} has signed scenario {run} as {made.role}, {made.phase} it, plan "
            f"{made.plan_hash}.",
            public=True,
        )

    def _pause(self, person: Person, target: str) -> Said:
        require_role(person, Role.OPERATOR)
        for each in self.people.in_force(PAUSE):
            if each.target == target and each.rule is None and each.direction is None:
                raise Conflict(
                    f"{target} is paused already, by {each.by}: {each.why}. `runbookd resume "
                    f"{target}` ends that."
                )
        scope = Scope(target, None, None, False)
        _, going_on = self.people.put(person, PAUSE, scope, PAUSED_FOR, _WHY)
        goes_on = f" {', '.join(going_on)} has begun to write and goes on." if going_on else ""
        return Said(
            f"{person.name} has paused {target} for {PAUSED_FOR}. `runbookd resume {target}` ends "
            f"that.{goes_on}",
            public=True,
        )

    def _undo(self, person: Person, run: str) -> Said:
        require_role(person, Role.OPERATOR)
        for each in self.people.in_force(PAUSE):
            if each.why == f"undo of {run}":
                raise Conflict(f"The undo of run {run} was asked for already, by {each.by}.")
        asked = self.people.undo(person, run)
        return Said(
            f"{person.name} has asked for the undo of run {run}: run {asked.run} does it, and "
            f"{asked.target} is paused for an hour. `runbookd resume {asked.target}` ends that.",
            public=True,
        )
