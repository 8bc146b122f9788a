"""What people do with scenarios: plan, start, cancel, decide, take back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.decisions.approval import APPROVED, REJECTED
from service.domain.decisions.controls import Control
from service.domain.decisions.guards import people_hold
from service.domain.decisions.policy import ACT, OFF, SHADOW, Policy
from service.domain.decisions.requests import SCENARIO, Origin, Request
from service.domain.errors import StoreConflict
from service.domain.people import (
    AuditEntry,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    Person,
    Role,
    require_role,
)
from service.domain.rules.rules import RuleBook
from service.domain.scenarios.going import (
    ACTIVE,
    BEGINNING,
    CANCELLED,
    DONE,
    INCOMPLETE,
    PLANNING,
    RUNNING,
    UNDOING,
    UNSIGNED,
    WAITING,
    Deed,
    ScenarioNow,
)
from service.domain.scenarios.scenarios import Scenario, Step
from service.domain.scenarios.signoffs import AFTER, BEFORE, ROLES, Signoff
from service.domain.scenarios.told import asking_told, run_told, scenario_told
from service.domain.scenarios.way import only_waits, shared_targets
from service.ports.controls import Beside, ControlDesk
from service.ports.scenarios import NewScenario, ScenarioDesk, ScenarioUnreadable
from service.triggers.people.asked import reason_of
from service.triggers.scenarios.wanted import step_wants

_TAKEN_BACK = (RUNNING, ACTIVE, DONE, INCOMPLETE, CANCELLED)
"""The states in which something may have been changed."""


@dataclass(frozen=True, slots=True)
class Started:
    """A scenario that was started; `lifted` are the pauses, locks and holds that ended with it, and
    `suspended` the scenarios of which nothing more begins. `unsigned` are the roles of which
    one has to sign before it begins; until then nothing is lifted or suspended."""

    run: str
    scenario: str
    plan_only: bool
    lifted: tuple[Control, ...] = ()
    suspended: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the API and the terminal."""
        return {
            "id": self.run,
            "scenario": self.scenario,
            "plan": self.plan_only,
            "lifted": [each.to_json() for each in self.lifted],
            "suspended": list(self.suspended),
            "unsigned": list(self.unsigned),
        }


class ScenarioPeople:
    """What people may do with scenarios. Every method raises a `Refusal`, or StoreUnavailable."""

    def __init__(
        self,
        desk: ScenarioDesk,
        controls: ControlDesk,
        book: Callable[[], RuleBook],
        audited: Callable[[AuditEntry], Beside],
        clock: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._controls = controls
        self._book = book
        self._audited = audited
        self._clock = clock

    def start(self, person: Person, name: str, why: str, *, plan_only: bool = False) -> Started:
        """Start a scenario; with `plan_only` a worker only looks at what its steps would change."""
        require_role(person, Role.VIEWER if plan_only else Role.OPERATOR)
        book = self._book()
        scenario = known_scenario(book, name)
        said = reason_of(why)
        if book.policy.mode == OFF and not plan_only:
            raise Conflict(
                "The rules say mode: off, so nothing is changed. Correct the rules first."
            )
        if not plan_only and not scenario.emergency:
            self._refuse_beside_others(scenario)
        requests = requests_of(book, scenario, said)
        signoff = None if plan_only else _of_the_starter(person, scenario, self._clock())
        first = first_state(scenario, signoff, plan_only=plan_only)
        what = {
            "scenario": name,
            **({} if signoff is None else {"signed_as": signoff.role}),
        }
        new = NewScenario(
            scenario=scenario,
            steps=requests,
            by=person.name,
            why=said,
            rules_hash=book.hash,
            at=self._clock(),
            plan_only=plan_only,
            plan_hash=scenario_hash(scenario) if scenario.emergency else "",
            signoff=signoff,
            first=first,
        )
        record = self._record(person, "plan" if plan_only else "run", name, said, what)
        try:
            begun = self._desk.start(new, record)
        except StoreConflict as conflict:
            raise Conflict(f"Scenario {name} was not started: {conflict}.") from None
        gate = scenario.signoff
        unsigned = gate.before if gate is not None and first == UNSIGNED else ()
        return Started(begun.run, name, plan_only, begun.lifted, begun.suspended, unsigned)

    def all(self, limit: int) -> dict[str, Any]:
        """The scenarios of the rules in force, and the newest that were started."""
        book = self._book()
        return {
            "hash": book.hash,
            "items": [scenario_told(each) for each in book.scenarios.values()],
            "runs": [run_told(each, {}) for each in self._desk.recent(limit)],
        }

    def asking(self) -> list[dict[str, Any]]:
        """Those that wait for approval."""
        return [asking_told(each) for each in self._desk.unended() if each.state == WAITING]

    def one(self, run: str) -> dict[str, Any]:
        """One that was started, with what stands in the way of its steps now."""
        now = self._known(run)
        book = self._book()
        scenario = book.scenarios.get(now.scenario.name)
        ended = now.ended and not now.plan_only
        way = {} if ended or scenario is None else self._held(book, scenario, now.why)
        return run_told(now, way)

    def _held(self, book: RuleBook, scenario: Scenario, why: str) -> dict[str, str]:
        """What would hold which step now, by the rules in force."""
        controls, at = self._controls.in_force(), self._clock()
        held = {}
        for each in requests_of(book, scenario, why):
            if each.on is None:
                continue
            asked = replace(each, policy=replace(each.policy, mode=ACT))
            if saw := people_hold(asked, controls, at):
                lifts = "; starting it lifts that" if scenario.emergency else ""
                held[each.step] = f"{saw}{lifts}"
        return held

    def cancel(self, person: Person, run: str, why: str) -> str:
        """Have no further step begin; what is under way goes on to its end. One of which people
        were told that it does not go on ends as it is, and so does one that cannot be read. Returns
        its state."""
        require_role(person, Role.OPERATOR)
        said = reason_of(why)
        try:
            now = self._desk.get(run) or self._known(run)
        except ScenarioUnreadable as unreadable:
            return self._abandon(person, run, said, {"unreadable": str(unreadable)})
        if now.stuck and not now.ended:
            return self._abandon(person, run, said, {"stuck": now.state})
        if now.state == ACTIVE:
            raise Conflict(
                f"All steps of {run} are over, so there is nothing to cancel; to take them back, "
                f"runbookd undo {run}."
            )
        deed = Deed(person.name, said, self._clock())
        record = self._record(person, "cancel", run, said, {})
        if not self._desk.say(run, "cancel", deed, BEGINNING, record):
            raise Conflict(f"Scenario {run} is {now.state} or was cancelled already.")
        return now.state

    def _abandon(self, person: Person, run: str, said: str, what: Mapping[str, Any]) -> str:
        """End one that does not go on; its state."""
        deed = Deed(person.name, said, self._clock())
        record = self._record(person, "cancel", run, said, what)
        if not self._desk.abandon(run, deed, record):
            raise Conflict(f"Scenario {run} has ended already.")
        return CANCELLED

    def undo(self, person: Person, run: str, why: str = "") -> ScenarioNow:
        """Put back what its steps have changed, in the reverse order, where it still is so. Where
        an emergency has suspended it, it is so no more."""
        require_role(person, Role.OPERATOR)
        now = self._known(run)
        said = reason_of(why) if why else f"undo of {run}"
        if not now.plan_only and now.state in (PLANNING, WAITING, UNSIGNED):
            raise Conflict(f"Scenario {run} has changed nothing yet; to stop it, cancel it.")
        deed = Deed(person.name, said, self._clock())
        record = self._record(person, "undo", run, said, {})
        states = (*_TAKEN_BACK, UNDOING) if now.suspended else _TAKEN_BACK
        if now.plan_only or not self._desk.say(run, "back", deed, states, record):
            raise Conflict(
                f"Scenario {run} is {now.state}; only one that changed something is taken back, "
                "and only once."
            )
        return now

    def decidable(self, person: Person, run: str) -> ScenarioNow:
        """One that waits for approval, once this person may decide on it."""
        now = self._known(run)
        terms = now.scenario.approval
        if now.state != WAITING or terms is None:
            raise Conflict(f"Scenario {run} is {now.state}; it does not wait for approval.")
        if not terms.may_decide(person):
            may = " or ".join(terms.of)
            raise Forbidden(f"{person.name} may not decide on this; it wants {may}.")
        return now

    def decide(
        self, person: Person, run: str, state: str, why: str = "", plan: str = ""
    ) -> ScenarioNow:
        """Approve or reject one that waits. `plan`, where it is given, is what was read."""
        now = self.decidable(person, run)
        known = "" if now.asked is None else now.asked.plan
        if plan and plan != known:
            raise Conflict(
                f"Approval {run} is about plan {known}, not about {plan}. Read it again."
            )
        said = reason_of(why) if why else ""
        what = APPROVED if state == APPROVED else REJECTED
        deed = Deed(person.name, said, self._clock(), what)
        record = self._record(person, what, run, said, {"plan": known})
        if not self._desk.say(run, "decided", deed, (WAITING,), record):
            raise Conflict(f"Somebody has decided on scenario {run} a moment ago.")
        return now

    def sign(self, person: Person, run: str, role: str, why: str, plan: str = "") -> Signoff:
        """Sign a scenario as one of the person's groups: its plan, or once its steps are over, what
        became of it. `plan`, where it is given, is the hash that was read."""
        if role not in ROLES:
            raise BadRequest(f"There is no sign-off as {role!r}. There is {', '.join(ROLES)}.")
        if role not in person.groups:
            raise Forbidden(
                f"{person.name} cannot sign as {role}: the token lacks the group {role}. Nothing "
                "was signed."
            )
        now, said = self._known(run), reason_of(why)
        phase = self._signable(now, role)
        if plan and plan != now.plan_hash:
            raise Conflict(
                f"Scenario {run} is about plan {now.plan_hash}, not about {plan}. Read it again."
            )
        made = Signoff(role, phase, person.name, self._clock(), now.plan_hash, said)
        what = {"role": role, "phase": phase, "plan": now.plan_hash}
        record = self._record(person, "signoff", run, said, what)
        gate = now.scenario.signoff
        one_person = gate is not None and gate.one_person
        try:
            kept = self._desk.sign(run, made, one_person=one_person, beside=record)
        except StoreConflict as conflict:
            raise Conflict(f"Scenario {run} was not signed: {conflict}.") from None
        if not kept:
            raise Conflict(
                f"Scenario {run} has changed a moment ago, so it was not signed. Look at it again: "
                f"runbookd scenarios {run}."
            )
        return made

    def _signable(self, now: ScenarioNow, role: str) -> str:
        """The phase that this role signs now.

        Raises:
            Conflict: it signs nothing of this scenario now.
        """
        gate = now.scenario.signoff
        if gate is None:
            raise Conflict(f"Scenario {now.id} has no signoff in its rules, so nobody signs it.")
        if not now.signs:
            raise Conflict(
                f"Scenario {now.id} is {now.state}: it is signed before its first step, once its "
                "plan is there, and after its last."
            )
        wanted = gate.after if now.signs == AFTER else (*gate.before, *gate.above_budget)
        if role not in wanted:
            who = ", ".join(dict.fromkeys(wanted)) or "nobody"
            word = "after" if now.signs == AFTER else "before"
            raise Conflict(f"Scenario {now.id} is not signed as {role} {word} it; by {who}.")
        return now.signs

    def _refuse_beside_others(self, scenario: Scenario) -> None:
        """Return when none goes on on one of its targets.

        Raises:
            Conflict: one does.
        """
        for each in self._desk.unended():
            if only_waits(each.state, emergency=each.scenario.emergency):
                continue
            if both := shared_targets(scenario, each.scenario):
                raise Conflict(
                    f"Scenario {each.id} is {each.state}, and changes {', '.join(both)} too. End "
                    f"it first, by `runbookd undo {each.id}`."
                )

    def _known(self, run: str) -> ScenarioNow:
        try:
            found = self._desk.get(run)
        except ScenarioUnreadable as unreadable:
            raise Conflict(
                f"Nothing was done: {unreadable}. To end it as it is: runbookd cancel {run}."
            ) from None
        if found is None:
            raise NotFound(f"There is no scenario {run!r} that was started.")
        return found

    def _record(
        self, person: Person, verb: str, subject: str, why: str, what: Mapping[str, Any]
    ) -> Beside:
        return self._audited(AuditEntry.by(person, verb, subject, why, what, self._clock()))


def scenario_hash(scenario: Scenario) -> str:
    """What the sign-offs of an emergency are bound to: all that it says. It is not planned first,
    so there is no plan yet. 12 hexadecimal digits."""
    told = json.dumps(scenario.fields(), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _of_the_starter(person: Person, scenario: Scenario, at: float) -> Signoff | None:
    """The sign-off that starting an emergency is, where the person may give one."""
    gate = scenario.signoff
    if gate is None or not scenario.emergency:
        return None
    role = next((each for each in gate.before if each in person.groups), "")
    if not role:
        return None
    return Signoff(role, BEFORE, person.name, at, scenario_hash(scenario), "started it")


def first_state(scenario: Scenario, signoff: Signoff | None, *, plan_only: bool) -> str:
    """The state in which a scenario begins. `signoff` is that of whoever starts it, where it
    counts."""
    if plan_only or scenario.planned_first:
        return PLANNING
    gate = scenario.signoff
    return UNSIGNED if gate is not None and gate.before and signoff is None else RUNNING


def known_scenario(book: RuleBook, name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        BadRequest: the rules in force have none.
    """
    if name not in book.scenarios:
        known = f"There is {', '.join(book.scenarios)}."
        if not book.scenarios:
            known = "The rules have none; put a file with `scenarios` among RULES."
        raise BadRequest(f"There is no scenario {name!r}. {known}")
    return book.scenarios[name]


def requests_of(book: RuleBook, scenario: Scenario, why: str) -> Sequence[Request]:
    """What each step asks for, pinned: what the rules say later changes nothing of it.

    Raises:
        BadRequest: a step cannot be asked for by the rules in force.
    """
    return [_request(book, scenario, step, why) for step in scenario.steps]


def _request(book: RuleBook, scenario: Scenario, step: Step, why: str) -> Request:
    target = None if step.target is None else book.targets[step.target]
    wants = step_wants(step, target)
    policy = book.policy
    return Request(
        id="",
        action=step.action,
        origin=Origin(
            SCENARIO, scenario.name, f"step {step.id} of scenario {scenario.name}: {why}"
        ),
        claim=scenario.name,
        rules_hash=book.hash,
        direction=wants.direction,
        on=target,
        wanted=wants.wanted,
        options=wants.options,
        step=step.id,
        policy=Policy(
            SHADOW if policy.mode == SHADOW else ACT,
            # Freezes never hold an emergency.
            () if scenario.emergency else policy.freezes,
            budget=policy.budget,
        ),
    )
