"""The verbs of people. Each checks, changes one thing, and is audited in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.catalogue.registry import action_spec, kind_spec
from service.catalogue.spec import ActionSpec
from service.domain.commands import NO_UNDO
from service.domain.decisions.approval import APPROVED
from service.domain.decisions.controls import HOLD, LOCK, PAUSE, Control, locks_by_resource
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.directions import OPPOSITE
from service.domain.decisions.policy import OFF, SHADOW, Policy
from service.domain.decisions.requests import PERSON, PLAN, Origin, Request, Wanted
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.filters import UNTARGETED
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
from service.domain.rules.rules import RuleBook, Target
from service.ports.admission import NewRun
from service.ports.approvals import Approvals, Asking, Decided
from service.ports.controls import Beside, ControlDesk, LockMirror, RunDesk
from service.ports.demotions import DemotionDesk
from service.ports.jobs import JobDesk
from service.ports.ledger import HOLD_S
from service.ports.runs import StoredRun
from service.ports.scenarios import ScenarioDesk
from service.triggers.jobs import claim_of, run_of
from service.triggers.people.asked import (
    Scope,
    before,
    changing_action,
    checked_scope,
    control_lasts,
    demoted_rule,
    job_shown,
    known_job,
    known_target,
    options_of,
    reached,
    reason_of,
    wanted_of,
)
from service.triggers.people.telling import require_target, telling_options
from service.triggers.scenarios.starting import ScenarioPeople

UNDO_PAUSE_S = 3_600.0
"""How long an undo pauses its target (rule of safety 12: nothing undoes the undo)."""
UNDOABLE = ("succeeded", "failed")
"""The statuses of runs that have changed something, or may have."""
_PREFIXES = {PAUSE: "p", LOCK: "l", HOLD: "h"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that a person asked for: what is queued."""

    run: str
    action: str
    target: str
    wanted: tuple[Wanted, ...]
    pause: Control | None = None

    def to_json(self) -> dict[str, Any]:
        """For the API and the terminal."""
        return {
            "id": self.run,
            "action": self.action,
            "target": self.target,
            "wanted": [_shown(each) for each in self.wanted],
            "pause": None if self.pause is None else self.pause.to_json(),
        }


def _shown(wanted: Wanted) -> dict[str, Any]:
    if wanted.to is not None:
        return {"attribute": wanted.attribute, "to": wanted.to}
    return {"attribute": wanted.attribute, "by": wanted.by}


class People:
    """What people may do. Every method raises a `Refusal`, or StoreUnavailable."""

    def __init__(
        self,
        *,
        controls: ControlDesk,
        lock_mirror: LockMirror,
        runs: RunDesk,
        approvals: Approvals,
        demotions: DemotionDesk,
        jobs: JobDesk,
        scenarios: ScenarioDesk,
        book: Callable[[], RuleBook],
        audited: Callable[[AuditEntry], Beside],
        new_id: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self._controls = controls
        self._lock_mirror = lock_mirror
        self._runs = runs
        self._approvals = approvals
        self._demotions = demotions
        self._jobs = jobs
        self._book = book
        self._audited = audited
        self._new_id = new_id
        self._clock = clock
        self.scenarios = ScenarioPeople(scenarios, controls, book, audited, clock)

    # ---- Pauses, locks and holds ----

    def in_force(self, kind: str) -> list[Control]:
        """The pauses, locks or holds that hold now, the oldest first."""
        now = self._clock()
        return [
            each for each in self._controls.in_force() if each.kind == kind and each.in_force(now)
        ]

    def put(
        self, person: Person, kind: str, scope: Scope, lasts: str, why: str
    ) -> tuple[Control, list[str]]:
        """Put a pause, lock or hold in force; it, and the runs that it covers and that go on.

        What has written goes on to its end: to stop that, there is `cancel`.
        """
        require_role(person, Role.OPERATOR)
        scope = checked_scope(self._book(), scope)
        if kind != PAUSE and scope.target is None:
            raise BadRequest(f"target: a {kind} is about one target; a pause may be about all.")
        if scope.pin and kind != HOLD:
            raise BadRequest(f"pin: a {kind} bars adding anyway; only a hold can be pinned.")
        now = self._clock()
        control = Control(
            id=self._new_id(_PREFIXES[kind]),
            kind=kind,
            by=person.name,
            why=reason_of(why),
            since=now,
            until=now + control_lasts(lasts),
            target=scope.target,
            rule=scope.rule,
            direction=scope.direction,
            pin=scope.pin,
        )
        what = {"for": lasts, "rule": scope.rule, "direction": scope.direction, "id": control.id}
        subject = scope.target or "all"
        self._controls.put(control, self._record(person, kind, subject, control.why, what))
        self._show_locks([control])
        going_on = [
            each.id for each in self._runs.writing() if control.covers(each.subject_of_controls)
        ]
        return control, going_on

    def end(self, person: Person, kind: str, control_id: str, why: str = "") -> Control:
        """End one pause, lock or hold, and have what it held judged again."""
        require_role(person, Role.OPERATOR)
        control = next((each for each in self.in_force(kind) if each.id == control_id), None)
        if control is None:
            raise NotFound(f"There is no {kind} {control_id!r} in force.")
        self._end(person, [control], f"end {kind}", control.target or "all", why)
        return control

    def resume(self, person: Person, target: str | None, why: str = "") -> list[Control]:
        """End the pauses of one target, or every pause; those that were ended."""
        require_role(person, Role.OPERATOR)
        if target is not None:
            known_target(self._book(), target)
        pauses = self.in_force(PAUSE)
        if target is not None:
            pauses = [each for each in pauses if each.target == target]
            for_all = [each for each in self.in_force(PAUSE) if each.target is None]
            if not pauses and for_all:
                raise Conflict(
                    f"{target} has no pause of its own. Every target is paused by {for_all[0].by}; "
                    "resume --all ends that."
                )
        if not pauses:
            raise NotFound(f"Nothing is paused{f' on {target}' if target else ''}.")
        self._end(person, pauses, "resume", target or "all", why)
        return pauses

    def unlock(self, person: Person, target: str, why: str = "") -> list[Control]:
        """End the locks of a target."""
        require_role(person, Role.OPERATOR)
        known_target(self._book(), target)
        found = [each for each in self.in_force(LOCK) if each.target == target]
        if not found:
            raise NotFound(f"{target} is not locked by anybody.")
        self._end(person, found, "unlock", target, why)
        return found

    def release(self, person: Person, target: str, why: str = "") -> list[Control]:
        """End every hold and lock of a target: runbookd is in charge again."""
        require_role(person, Role.OPERATOR)
        known_target(self._book(), target)
        known = (*self.in_force(HOLD), *self.in_force(LOCK))
        found = [each for each in known if each.target == target]
        if not found:
            raise NotFound(f"{target} is not held or locked by anybody.")
        self._end(person, found, "release", target, why)
        return found

    def _end(
        self, person: Person, controls: Sequence[Control], verb: str, subject: str, why: str
    ) -> None:
        said = reason_of(why) if why else ""
        for each in controls:
            if each.kind == LOCK and each.by != person.name and not person.may(Role.ADMIN):
                raise Forbidden(
                    f"{each.by} has locked {each.target}; only {each.by} or an admin may end that."
                )
        ids = [each.id for each in controls]
        record = self._record(person, verb, subject, said, {"ids": ids})
        self._controls.end(ids, person.name, self._clock(), record)
        self._show_locks(controls)

    def _show_locks(self, changed: Sequence[Control]) -> None:
        """Have other installations on the same Redis know at once what has changed of the locks.

        It is in force already. What they are not told now, a worker tells them in its next round.
        """
        resources = self._book().resources
        names = {each.target or "" for each in changed if each.kind == LOCK}
        shown = {resources[each] for each in names & resources.keys()}
        if not shown:
            return
        now = self._clock()
        try:
            locks = locks_by_resource(self._controls.in_force(), resources, now)
        except (StoreUnavailable, StoreConflict):
            return
        self._lock_mirror.show(sorted(shown), locks, now)

    # ---- Runs ----

    def cancel(self, person: Person, run_id: str, why: str) -> StoredRun:
        """Have a run stop before its first write, or between two of its steps."""
        require_role(person, Role.OPERATOR)
        said = reason_of(why)
        run = self._known_run(run_id)
        record = self._record(person, "cancel", run_id, said, {})
        if run.ended or not self._runs.cancel(run_id, person.name, said, self._clock(), record):
            raise Conflict(f"Run {run_id} has ended already; to take it back, undo it.")
        return run

    def run(
        self,
        person: Person,
        action: str,
        target: str = "",
        *,
        to: Mapping[str, Any] | None = None,
        step: int | None = None,
        why: str,
        override: str = "",
        plan_only: bool = False,
        lasts: str = "",
        pin: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> Asked:
        """Queue a change of a target; with `plan_only` the worker only tells what it would do.

        What it makes of the target is held for `lasts` (half a day): alerts may add to it, and with
        `pin` not even that. `options` are those of an action that moves nothing, such as a purge.
        What only tells or decides needs no target.
        """
        require_role(person, Role.VIEWER if plan_only else Role.OPERATOR)
        book = self._book()
        if action in UNTARGETED:
            if to is not None or step is not None or lasts or pin:
                raise BadRequest(f"{action} sets no value: it takes no to, step, for or pin.")
            given = telling_options(book, action, target, options or {})
            said = reason_of(why)
            return self._ask_untargeted(
                person, book, action, given, said, override, plan_only=plan_only
            )
        if not target:
            require_target(action)
        on = known_target(book, target)
        spec = changing_action(action, on)
        wanted = wanted_of(spec, on, to, step)
        given = options_of(spec, on, options or {})
        if not wanted and (lasts or pin):
            raise BadRequest(f"{action} sets no value, so for and pin have nothing to hold.")
        said = reason_of(why)
        lasting = control_lasts(lasts) if lasts else HOLD_S
        return self._ask(
            person,
            book,
            "plan" if plan_only else "run",
            on,
            spec,
            wanted,
            said,
            options=given,
            override=override,
            plan_only=plan_only,
            hold_s=lasting if wanted and not plan_only else 0.0,
            pin=pin,
        )

    def jobs(self) -> list[dict[str, Any]]:
        """Each job of the rules in force, with its last time and its next."""
        last, now = self._jobs.last(), self._clock()
        return [job_shown(each, last.get(each.name), now) for each in self._book().jobs.values()]

    def run_job(self, person: Person, name: str, why: str) -> Asked:
        """Have a job done now, as it is done when it is due. Its times stay as they are."""
        require_role(person, Role.OPERATOR)
        book = self._book()
        job = known_job(book, name)
        if book.policy.mode == OFF and job.target is not None:
            raise Conflict(
                "The rules say mode: off, so nothing is changed. Correct the rules first."
            )
        said = reason_of(why)
        asks = f"{person.name} has it done now: {said}"
        record = self._record(person, "job", name, said, {"action": job.action})
        make = run_of(job, book, asks, self._clock())
        run_id = self._runs.ask(claim_of(name), make, record)
        return Asked(run_id, job.action, job.target or "", ())

    def approvals(self, limit: int) -> list[dict[str, Any]]:
        """The scenarios that wait for approval, and the newest approvals of runs."""
        return [*self.scenarios.asking(), *self._approvals.recent(limit)]

    def decidable(self, person: Person, approval_id: str) -> Asking:
        """An approval, once this person may decide on it."""
        asking = self._approvals.get(approval_id)
        if asking is None:
            raise NotFound(f"There is no approval {approval_id!r}.")
        if not asking.terms.may_decide(person):
            may = " or ".join(asking.terms.of)
            raise Forbidden(f"{person.name} may not decide on this; it wants {may}.")
        return asking

    def decide(
        self, person: Person, approval_id: str, state: str, why: str = "", plan: str = ""
    ) -> Asking:
        """Approve or reject a plan that waits. `plan`, where it is given, is what was read."""
        asking = self.decidable(person, approval_id)
        if plan and plan != asking.plan_hash:
            raise Conflict(
                f"Approval {approval_id} is about plan {asking.plan_hash}, not about {plan}. Read "
                "it again."
            )
        now = self._clock()
        said = reason_of(why) if why else ""
        rests = now if state == APPROVED else now + asking.request.cooldown_s
        what = {"plan": asking.plan_hash, "of": asking.run}
        record = self._record(person, state, approval_id, said, what)
        decided = self._approvals.decide(
            approval_id, Decided(state, person.name, said, now), rests, record
        )
        if decided is None:
            known = self._approvals.get(approval_id) or asking
            raise Conflict(
                f"Approval {approval_id} is {known.state.replace('_', ' ')} already, by "
                f"{known.decided_by}."
            )
        return decided

    def promote(self, person: Person, rule: str, why: str) -> Demotion:
        """Let a rule that has demoted itself act again as it is written; the demotion that ends."""
        require_role(person, Role.APPROVER)
        said = reason_of(why)
        demotion = demoted_rule(self._book(), self._demotions.in_force(), rule)
        what = {"was": demotion.mode, "since": demotion.since, "demotion": demotion.id}
        record = self._record(person, "promote", rule, said, what)
        ended = self._demotions.end(rule, person.name, self._clock(), record)
        if ended is None:
            raise Conflict(f"Somebody else has promoted rule {rule} a moment ago.")
        return ended

    def retry(self, person: Person, run_id: str, why: str = "") -> Asked:
        """Ask once more for what a run that failed, was held or cancelled was to reach."""
        require_role(person, Role.OPERATOR)
        run = self._changing_run(run_id)
        if not run.ended:
            raise Conflict(f"Run {run_id} is still {run.status}; to stop it, cancel it.")
        if run.status == "succeeded":
            raise Conflict(f"Run {run_id} has succeeded; there is nothing to retry.")
        book = self._book()
        on = known_target(book, run.request.target.name)
        spec = changing_action(run.request.action, on)
        wanted = run.request.wanted if run.plan is None else reached(on, run.plan)
        said = reason_of(why) if why else f"retry of {run_id}: {run.request.origin.why}"
        options = {} if wanted else run.request.options
        return self._ask(
            person, book, "retry", on, spec, wanted, said, parent=run_id, options=options
        )

    def undo(self, person: Person, run_id: str, why: str = "") -> Asked:
        """Put back what a run has changed, and pause the target for an hour.

        The worker does so only where the target still is what the run made of it. A run that failed
        may have changed it all the same.
        """
        require_role(person, Role.OPERATOR)
        run = self._changing_run(run_id)
        if run.status not in UNDOABLE or run.plan is None:
            raise Conflict(
                f"Run {run_id} is {run.status}; only a run that changed something can be undone."
            )
        if why_not := NO_UNDO.get(run.request.action):
            raise Conflict(f"Run {run_id} cannot be undone: {why_not}. Nothing was changed now.")
        book = self._book()
        on = known_target(book, run.request.target.name)
        spec = changing_action(run.request.action, on)
        self._require_unchanged(run_id, on, reached(on, run.plan))
        said = reason_of(why) if why else f"undo of {run_id}"
        now = self._clock()
        pause = Control(
            self._new_id("p"), PAUSE, person.name, said, now, now + UNDO_PAUSE_S, on.name
        )
        return self._ask(
            person,
            book,
            "undo",
            on,
            spec,
            before(on, run.plan),
            said,
            parent=run_id,
            expects=reached(on, run.plan),
            pause=pause,
        )

    def _require_unchanged(self, run_id: str, on: Target, made: tuple[Wanted, ...]) -> None:
        """Refuse an undo of what is known to have changed since. What nobody has seen yet, the
        worker sees before it writes."""
        known = self._runs.known_values(on.name)
        changed = [each for each in made if known.get(each.attribute, each.to) != each.to]
        if not changed or (kind_spec(on.kind).apart and len(changed) < len(made)):
            return
        first = changed[0]
        raise Conflict(
            f"{on.name} has {first.attribute} {known[first.attribute]}, and run {run_id} had "
            f"made it {first.to}: it was changed since, and is left as it is. To change it "
            "all the same, ask for the value that you want."
        )

    def _ask(
        self,
        person: Person,
        book: RuleBook,
        verb: str,
        on: Target,
        spec: ActionSpec,
        wanted: tuple[Wanted, ...],
        why: str,
        *,
        override: str = "",
        plan_only: bool = False,
        parent: str = "",
        expects: tuple[Wanted, ...] = (),
        pause: Control | None = None,
        hold_s: float = 0.0,
        pin: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> Asked:
        policy = book.policy
        if policy.mode == OFF and not plan_only:
            raise Conflict(
                "The rules say mode: off, so nothing is changed. Correct the rules first."
            )
        overriding = reason_of(override) if override else ""
        mode = SHADOW if plan_only or policy.mode == SHADOW else "act"
        claim = f"{on.name}.{PLAN if plan_only else PERSON}"
        request = Request(
            id="",
            action=spec.name,
            origin=Origin(PERSON, person.name, why),
            claim=claim,
            rules_hash=book.hash,
            direction=_direction(spec, wanted),
            on=on,
            wanted=wanted,
            options=options or {},
            parent=parent,
            policy=Policy(mode, policy.freezes, policy.limits, budget=policy.budget),
            override=overriding or ("the undo pauses it" if pause else ""),
            expects=expects,
            hold_s=hold_s,
            pin=pin,
        )
        now = self._clock()
        what: dict[str, Any] = {
            "wanted": [_shown(each) for each in wanted],
            "action": spec.name,
            "of": parent,
        }
        if options:
            what["options"] = dict(options)
        if overriding:
            what["override"] = overriding
        run_id = self._runs.ask(
            claim,
            lambda made: NewRun(replace(request, id=made), on.resource, now),
            self._record(person, verb, on.name, why, what),
            pause,
        )
        return Asked(run_id, spec.name, on.name, wanted, pause)

    def _ask_untargeted(
        self,
        person: Person,
        book: RuleBook,
        action: str,
        options: Mapping[str, Any],
        why: str,
        override: str,
        *,
        plan_only: bool,
    ) -> Asked:
        """Queue what changes no target. The run that it decides on goes as far as the rules let."""
        spec, policy = action_spec(action), book.policy
        if override and not spec.asks:
            raise BadRequest(f"override: nothing holds {action}, so there is nothing to pass over.")
        if spec.asks and policy.mode == OFF and not plan_only:
            raise Conflict(
                "The rules say mode: off, so nothing is changed. Correct the rules first."
            )
        overriding = reason_of(override) if override else ""
        careful = plan_only or (spec.asks and policy.mode == SHADOW)
        claim = f"{action}.{PLAN if plan_only else PERSON}"
        request = Request(
            id="",
            action=action,
            origin=Origin(PERSON, person.name, why),
            claim=claim,
            rules_hash=book.hash,
            direction=spec.direction,
            options=options,
            policy=Policy(
                SHADOW if careful else "act", policy.freezes, policy.limits, budget=policy.budget
            ),
            override=overriding,
        )
        now, target = self._clock(), str(options.get("target") or "")
        what: dict[str, Any] = {"action": action, "options": dict(options)}
        if overriding:
            what["override"] = overriding
        run_id = self._runs.ask(
            claim,
            # Each in a partition of its own: what is urgent waits for no other message.
            lambda made: NewRun(replace(request, id=made), f"message:{made}", now),
            self._record(person, "plan" if plan_only else "run", target or action, why, what),
            None,
        )
        return Asked(run_id, action, target, ())

    def _known_run(self, run_id: str) -> StoredRun:
        run = self._runs.get(run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id!r}.")
        return run

    def _changing_run(self, run_id: str) -> StoredRun:
        run = self._known_run(run_id)
        if run.request.on is None:
            raise Conflict(f"Run {run_id} only told people; it changed no target.")
        return run

    def _record(
        self, person: Person, verb: str, subject: str, why: str, what: Mapping[str, Any]
    ) -> Beside:
        return self._audited(AuditEntry.by(person, verb, subject, why, what, self._clock()))


def _direction(spec: ActionSpec, wanted: Sequence[Wanted]) -> str:
    """Which way a request goes; of an absolute value only a look can tell, so it counts as more."""
    if wanted and all(each.removes for each in wanted):
        return OPPOSITE.get(spec.direction, spec.direction)
    return spec.direction
