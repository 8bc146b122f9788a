"""A run that changes a target: prepare → announce → the plan's steps → conclude → report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from service.catalogue.context import Record, StepFunction
from service.catalogue.registry import kind_spec, taken_by
from service.domain.capacity.refusals import held_by_refusal
from service.domain.capacity.taking import held_by_askers, held_by_scenario
from service.domain.decisions.decision import Check
from service.domain.decisions.demotion import as_demoted
from service.domain.decisions.directions import takes_away
from service.domain.decisions.guards import (
    CANCELLED,
    PROSPECT_GUARDS,
    Prospect,
    held_by,
    judge,
)
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.policy import APPROVE, SHADOW, Policy
from service.domain.decisions.requests import ALERT, PERSON, REPLAY, SCENARIO, Request
from service.domain.errors import Cancelled, StepFailed, VendorError
from service.engine import approvals, leftovers, looks, reports
from service.engine.budgets import Budgeted, within_budget
from service.engine.ceilings import reach_of
from service.engine.context import RunContext
from service.engine.outcomes import (
    UNOBSERVABLE,
    Ending,
    cancelled_ending,
    changed_since,
    failure_ending,
    hold_ending,
    put_off,
    shadow_ending,
    success_ending,
    unobserved,
)
from service.engine.parts import StepRunner, WorkerParts
from service.engine.prospects import prospect_of
from service.messages.announcements import Failure
from service.messages.going_on import next_try

ADOPTED_LOOK_S = 60.0
"""An adopted run looks at its target again this long after its end: a former execution that was
stopped between its fence and its write may still send it (docs/architecture.md, Fencing)."""


class Scaling:
    """One execution of a scaling run; each method that ends is a step or a few."""

    def __init__(
        self, request: Request, parts: WorkerParts, context: RunContext, step: StepRunner
    ) -> None:
        self._request = request
        self._parts = parts
        self._context = context
        self._step = step
        self._began_at = 0.0
        self._at = ""
        self._bounded_by = ""

    def execute(self, attempt: int) -> None:
        """From the first look to the report; `attempt` is the number of this execution."""
        began = self._parts.clock.monotonic() if attempt == 1 else None
        prepared = self._step("prepare", self._prepare)
        if "hold" in prepared:
            # A record of an earlier version does not say which guards let it pass.
            passed = tuple(Check(**check) for check in prepared.get("passed", ()))
            held = PlanHeld(**prepared["hold"])
            self._end_held(held, passed, told_before=prepared["told_before"])
            return
        plan = Plan.from_json(prepared["plan"])
        self._began_at = prepared["began_at"]
        # A record of an earlier version knows no demotions.
        if prepared.get("mode", self._request.policy.mode) == SHADOW:
            self._end_shadow(plan, demoted=prepared.get("demoted", False))
            return
        if why := prepared.get("ask"):
            self._end_asking(plan, why)
            return
        announced = self._step("announce", reports.announce, self._request, plan, self._parts)
        self._context.thread = reports.reference(announced)
        try:
            records = self._apply(plan)
        except (StepFailed, VendorError) as error:
            self._end_failed(plan, error)
        else:
            self._end_done(plan, began, records)
        if attempt > 1:
            self._step("look_again", self._look_again, attempt)

    def _prepare(self) -> Record:
        """Guards, a look at the target, and the plan; reads only."""
        began_at, policy = self._parts.clock.time(), self._policy()
        prospect, checks = self._judge(began_at, policy)
        refused = held_by(checks)
        found, seen = self._look() if refused is None else (Budgeted(_hold(refused, prospect)), {})
        made = found.plan
        if isinstance(made, PlanHeld):
            passed = [check for check in checks if check.passed]
            self._parts.runs.set_checks(self._request.id, (*passed, made.check))
            hold = {name: getattr(made, name) for name in made.__dataclass_fields__}
            return {
                "hold": hold,
                "told_before": self._told_before(made),
                "passed": [check.to_json() for check in passed],
                "seen": seen,
            }
        budget = () if found.check is None else (found.check,)
        self._parts.runs.set_checks(self._request.id, (*checks, self._room(made), *budget))
        self._parts.runs.set_plan(self._request.id, made)
        return {
            "plan": made.to_json(),
            "began_at": began_at,
            "ask": approvals.must_ask(self._request, made, policy, found.ask),
            "seen": seen,
            "mode": policy.mode,
            "demoted": policy.demoted,
        }

    def _policy(self) -> Policy:
        """The policy in force: its rule may have demoted itself since it asked. That holds what
        alerts ask for by it. What a person has approved is done, though no other plan is."""
        request = self._request
        if request.origin.kind not in (ALERT, REPLAY):
            return request.policy
        demotion = self._parts.demotions.in_force().get(request.origin.by)
        if demotion is not None and request.approved:
            demotion = replace(demotion, mode=APPROVE)
        return as_demoted(request.policy, demotion)

    def _room(self, plan: Plan) -> Check:
        """What the plan of the kind found: nothing of the target holds the change."""
        bounds = f"; {self._bounded_by}" if self._bounded_by else ""
        saw = f"{self._request.target.name} may be changed: {plan.change}{bounds}"
        return Check("target", passed=True, saw=saw)

    def _told_before(self, held: PlanHeld) -> bool:
        """Whether the run before this one was held for the very same reason."""
        said = (self._request.target.name, "held", held.reason)
        return said in self._parts.runs.last_by_target()

    def _judge(self, now: float, policy: Policy) -> tuple[Prospect, tuple[Check, ...]]:
        """Ask the guards that need no look at the target. The lock is last: asking takes it."""
        request = self._request
        prospect = prospect_of(request, self._parts, now)
        checks = judge(PROSPECT_GUARDS, prospect)
        if held_by(checks) is not None or policy.mode == SHADOW:
            return prospect, checks
        owner = self._parts.locks.lock(request.target.resource, request.id)
        prospect = replace(prospect, lock_asked=True, locked_by=owner)
        return prospect, judge(PROSPECT_GUARDS, prospect)

    def _look(self) -> tuple[Budgeted, Record]:
        """What follows from a look at the target, and the state that it showed."""
        looked_at = self._parts.clock.time()
        try:
            change = self._parts.change_of(self._request)
            observed = change.observe(self._request)
            looks.note(self._request.target, change.values(observed), looked_at, self._parts)
            reach = reach_of(self._request, self._parts, looked_at)
            plan = reach.held(change.plan(reach.request, observed))
            self._bounded_by = reach.told
        except VendorError as error:
            return Budgeted(unobserved(self._request, error)), {}
        except StepFailed as error:
            return Budgeted(PlanHeld(UNOBSERVABLE, error.sentence)), {}
        seen = dict(change.state(observed))
        if isinstance(plan, PlanHeld):
            return Budgeted(plan), seen
        held = changed_since(self._request, plan) or self._refused_before(plan)
        if held := held or self._asked_for_more(plan) or self._set_by_scenario(plan):
            return Budgeted(held), seen
        found = within_budget(self._request, change, observed, plan, self._parts, looked_at)
        return found, seen

    def _refused_before(self, plan: Plan) -> PlanHeld | None:
        request = self._request
        return held_by_refusal(
            plan,
            self._parts.offs.refusals(request.target.resource),
            target=request.target.name,
            cooldown_s=request.cooldown_s,
            now=self._parts.clock.time(),
        )

    def _asked_for_more(self, plan: Plan) -> PlanHeld | None:
        """Whether it would take away what another alert asks for. SQL is asked only then."""
        target, less = self._request.target.name, taken_by(self._request, plan)
        if not less:
            return None
        askers = self._parts.ledger.asking_more(target, self._parts.clock.time())
        return held_by_askers(target, less, askers)

    def _set_by_scenario(self, plan: Plan) -> PlanHeld | None:
        """Whether it would go below what a scenario has set. SQL is asked only then."""
        request = self._request
        if not request.removes or request.origin.kind in (PERSON, SCENARIO):
            return None
        changed = kind_spec(request.target.kind).changed(plan)
        if not takes_away(changed, request.target.sizes):
            return None
        floors = self._parts.scenarios.floors(request.target.name)
        return held_by_scenario(request.target.name, changed, floors, request.target.sizes)

    def _apply(self, plan: Plan) -> dict[str, Record]:
        """The plan's own steps, in order; what each leaves is there for the next, and returned."""
        functions = self._parts.change_of(self._request).work.steps()
        records: dict[str, Record] = {}
        for name in plan.steps:
            self._at, step = name, partial(self._unless_cancelled, name, functions[name])
            records[name] = self._step(name, step, self._context, self._request, plan, records)
        return records

    def _unless_cancelled(self, name: str, step: StepFunction, *arguments: Any) -> Record:
        """The step, unless a person has cancelled the run before it began."""
        if said := self._parts.runs.cancelled(self._request.id):
            raise Cancelled(name, said)
        return step(*arguments)

    def _end_asking(self, plan: Plan, why: str) -> None:
        """A person has to approve it first: the run ends, and the approval keeps its claim."""
        request, parts = self._request, self._parts
        asked = self._step("ask", approvals.ask, request, plan, why, parts)
        if said := asked.get("cancelled"):
            self._end_held(PlanHeld(CANCELLED, said), (), told_before=False)
            return
        self._step("report", approvals.tell_asked, request, plan, why, asked, parts)

    def _end_shadow(self, plan: Plan, *, demoted: bool) -> None:
        """Nothing is changed, and people are told what would have been. They are paged where the
        rule would act, had it not demoted itself."""
        ended = self._step("conclude", self._conclude_shadow, plan)
        result = reports.Result(plan, 0.0, ended["cooldown_until"])
        report = partial(reports.report_shadow, demoted=demoted)
        self._step("report", report, self._request, result, self._parts)

    def _end_held(self, held: PlanHeld, passed: tuple[Check, ...], *, told_before: bool) -> None:
        """Nothing was changed: the cooldown is what the guard asks, and whoever waits is told."""
        ended = self._step("conclude", self._conclude_held, held, passed)
        held = _as_concluded(held, ended)
        report = partial(reports.report_held, told_before=told_before)
        self._step("report", report, self._request, held, self._next_try(ended), self._parts)

    def _end_done(self, plan: Plan, began: float | None, records: Mapping[str, Record]) -> None:
        """Verified: the cooldown begins, and people are told.

        `began` is when this execution began, on the monotonic clock; None when another process
        began the run: how long that was ago only the instants tell.
        """
        ended = self._step("conclude", self._conclude_done, plan, records)
        took_s = (
            max(0.0, ended["ended_at"] - self._began_at)
            if began is None
            else self._parts.clock.monotonic() - began
        )
        result = reports.Result(plan, took_s, ended["cooldown_until"])
        self._report(reports.report_done, result)

    def _end_failed(self, plan: Plan, error: StepFailed | VendorError) -> None:
        """Back to safety, then told by what happened: nothing was written, or something was."""
        try:
            safe = self._step("make_safe", self._make_safe, plan)
        except (StepFailed, VendorError) as unsafe:
            left = f"It could not be made safe: {unsafe.sentence} Look at it now."
            safe = {"left": left, "wrote": True}
        wrote, before = safe["wrote"], safe.get("fruitless_before", 0)
        if isinstance(error, Cancelled) and "left" in safe:
            self._end_cancelled(plan, error, safe)
            return
        held = None if wrote else put_off(self._request, error, before, self._now())
        if held is not None:
            self._end_put_off(plan, held, before)
            return
        step = error.step if isinstance(error, StepFailed) else self._at
        said = error.sentence if isinstance(error, StepFailed) else str(error)
        failure = Failure(step, said, safe["left"], wrote=wrote)
        ended = self._step("conclude", self._conclude_failed, failure, before)
        for_good = bool(safe.get("refused"))
        end = reports.Failed(plan, failure, before, self._next_try(ended), for_good)
        self._report(reports.report_failed, end)

    def _end_cancelled(self, plan: Plan, error: Cancelled, safe: Record) -> None:
        """A person has stopped it: what had been done stays, and is told; nobody is paged."""
        left = f" {safe['left']}" if safe["wrote"] else " Nothing was changed."
        sentence = f"{error.sentence}.{left}"
        ended = self._step("conclude", self._conclude_cancelled, sentence)
        off = reports.PutOff(plan, PlanHeld(CANCELLED, sentence), self._next_try(ended), 0)
        self._report(reports.report_put_off, off)

    def _end_put_off(self, plan: Plan, held: PlanHeld, fruitless_before: int) -> None:
        """Nothing was written, and the same request is tried again later with a new plan."""
        ended = self._step("conclude", self._conclude_held, held)
        held = _as_concluded(held, ended)
        off = reports.PutOff(plan, held, self._next_try(ended), fruitless_before)
        self._report(reports.report_put_off, off)

    def _report(self, report: Callable[..., Record], end: object) -> None:
        """Tell people how it ended, in the thread of the announcement."""
        self._step("report", report, self._request, end, self._context.thread, self._parts)

    def _next_try(self, ended: Record) -> str:
        """When it is tried again, by what the run's conclusion has left."""
        at, now = ended["cooldown_until"], self._parts.clock.time()
        return next_try(self._request, at, now, by_itself=ended["again"])

    def _make_safe(self, plan: Plan) -> Record:
        left = self._parts.change_of(self._request).work.make_safe(self._context, plan)
        runs, run_id = self._parts.runs, self._request.id
        since = self._parts.clock.time() - 2 * self._request.cooldown_s
        refusals = self._parts.offs.refusals(self._request.target.resource)
        return {
            "left": left,
            "wrote": runs.wrote(run_id),
            "fruitless_before": runs.fruitless_before(run_id, since),
            "refused": any(one.run == run_id for one in refusals),
        }

    def _conclude_held(self, held: PlanHeld, passed: tuple[Check, ...] = ()) -> Record:
        """What is held may be tried again; a person may have cancelled it since it was judged."""
        if said := self._parts.runs.cancelled(self._request.id):
            held = PlanHeld(CANCELLED, said)
        new_id = self._parts.new_id
        return self._conclude(hold_ending(self._request, held, self._now(), new_id, passed))

    def _conclude_shadow(self, plan: Plan) -> Record:
        return self._conclude(shadow_ending(self._request, plan, self._now()))

    def _conclude_cancelled(self, sentence: str) -> Record:
        return self._conclude(cancelled_ending(self._request, sentence, self._now()))

    def _conclude_done(self, plan: Plan, records: Mapping[str, Record]) -> Record:
        leftovers.keep(self._request, records, self._parts)
        return self._conclude(success_ending(self._request, plan, self._now()))

    def _conclude_failed(self, failure: Failure, fruitless_before: int) -> Record:
        ending = failure_ending(
            self._request, failure, self._now(), fruitless_before=fruitless_before
        )
        return self._conclude(ending)

    def _conclude(self, ending: Ending) -> Record:
        request, outcome, now = self._request, ending.outcome, self._now()
        asked_by_alert = request.origin.needs_alert
        again = ending.again(self._parts.runs.get(request.id), now)
        self._parts.runs.conclude(
            request.id,
            outcome,
            now,
            ending.decision,
            request.rules_hash,
            again,
            if_wanted=ending.if_wanted,
        )
        self._parts.locks.unlock(request.target.resource, request.id)
        self._parts.locks.cool_down(request.claim, request.id, outcome.cooldown_until, now)
        return {
            "status": outcome.status,
            "reason": outcome.reason,
            "cooldown_until": outcome.due_at or outcome.cooldown_until,
            "ended_at": now,
            "again": again is not None or (outcome.due_at is not None and asked_by_alert),
        }

    def _now(self) -> float:
        """The time, and never before this run began: a clock that stepped back in the middle of
        it must not end its cooldown early."""
        return max(self._began_at, self._parts.clock.time())

    def _look_again(self, attempt: int) -> Record:
        self._parts.reconcile(self._request.id, f"adopted.{attempt}", ADOPTED_LOOK_S)
        return {"in_s": ADOPTED_LOOK_S}


def _as_concluded(held: PlanHeld, ended: Record) -> PlanHeld:
    """The hold that the run ended with: a person's word that came between counts."""
    cancelled = ended["status"] == CANCELLED and held.guard != CANCELLED
    return PlanHeld(CANCELLED, ended["reason"]) if cancelled else held


def _hold(check: Check, prospect: Prospect) -> PlanHeld:
    """The hold by a guard that needs no look at the target, and when it is worth trying again."""
    again_in_s = None if check.until is None else check.until - prospect.now
    return PlanHeld(check.guard, check.saw, retry_after_s=again_in_s)
