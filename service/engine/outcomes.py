"""How runs end, and how long the cooldown of their claims is: by what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.catalogue.registry import kind_spec
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.decision import Check, Decision, Stage, Verdict
from service.domain.decisions.guards import ASKED_AGAIN, CANCELLED, RESOLVED
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.policy import SHADOW
from service.domain.decisions.requests import LEVEL, RETURN, SCENARIO, Request
from service.domain.errors import (
    FailureKind,
    HeldBack,
    StepFailed,
    TargetChanged,
    VendorError,
    shown_vendor,
)
from service.domain.levels.acting import STILL_HELD
from service.messages.announcements import Failure
from service.ports.admission import NewDecision, NewRun
from service.ports.runs import Outcome, StoredRun

UNOBSERVABLE = "unobservable"
"""The guard that holds when a target cannot be looked at: someone must know, so it pages."""
CHANGED_SINCE_PLAN = "changed_since_plan"
"""The guard that holds when somebody changed the target after the plan was made."""
VENDOR_BUSY = "vendor_busy"
"""The guard that holds when the vendor takes no request of ours for now."""
SOONEST_AGAIN_S = 60.0
"""A run held before any write is looked at again after this long at the earliest."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome with what follows from it.

    `delay_s` is set when the same request is to be tried again after that many seconds; with
    `if_wanted` only when an alert asks for it that came after the worker had looked.
    """

    outcome: Outcome
    decision: NewDecision | None = None
    delay_s: float | None = None
    if_wanted: bool = False

    def again(self, run: StoredRun | None, now: float) -> NewRun | None:
        """The run that tries again, on the same claim; None when there is none to be."""
        if run is None or self.delay_s is None:
            return None
        return NewRun(run.request, run.partition, now, self.delay_s)


def cooldown_end(now: float, rest_s: float) -> float:
    """The end of a cooldown of `rest_s` seconds.

    However long that is, it is not the end that stands for a run under way.
    """
    return min(now + rest_s, BUSY_UNTIL - 1.0)


def success_ending(request: Request, plan: Plan, now: float) -> Ending:
    """A verified change: the full cooldown, from its end."""
    reason = f"{request.target.name}: {plan.change}"
    return Ending(Outcome("succeeded", reason, cooldown_end(now, request.cooldown_s)))


def failure_ending(
    request: Request, failure: Failure, now: float, *, fruitless_before: int = 0
) -> Ending:
    """A failed run: the full cooldown when anything may have been written, else soon free."""
    cooldown_s = (
        request.cooldown_s if failure.wrote else fruitless_wait_s(request, fruitless_before)
    )
    reason = " ".join([f"{failure.step} failed:", *failure.told])
    return Ending(Outcome("failed", reason, cooldown_end(now, cooldown_s)))


def fruitless_wait_s(request: Request, before: int) -> float:
    """Seconds until a run that wrote nothing may be tried again: a minute, then doubled.

    `before` is how many runs in a row before this one wrote nothing either. The wait ends at the
    rule's cooldown.
    """
    longest = max(SOONEST_AGAIN_S, request.cooldown_s)
    return min(SOONEST_AGAIN_S * 2.0**before, longest)


def unobserved(request: Request, error: VendorError) -> PlanHeld:
    """The hold of a run that could not look at its target.

    A vendor that only asks to wait has a guard of its own, whose reason does not change while it
    goes on, so that it is told once.
    """
    name = request.target.name
    if error.kind is FailureKind.PERMANENT:
        return PlanHeld(UNOBSERVABLE, f"{name} could not be looked at: {error}")
    if error.retry_after is None:
        reason = f"{name} could not be looked at: {error}"
        return PlanHeld(UNOBSERVABLE, reason, retry_after_s=SOONEST_AGAIN_S)
    return PlanHeld(
        VENDOR_BUSY,
        f"{name} could not be looked at: {shown_vendor(error.vendor)} answered {error.status} to "
        f"the request to {error.operation}, and asks to wait. Nothing was changed.",
        retry_after_s=max(SOONEST_AGAIN_S, error.retry_after),
    )


def changed_since(request: Request, plan: Plan) -> PlanHeld | None:
    """The hold of a request whose target is no longer what a run made of it: of an undo, and of a
    return; or what a level has seen."""
    if not request.expects:
        return None
    was = {name: pair[0] for name, pair in kind_spec(request.target.kind).changed(plan).items()}
    for each in request.expects:
        if each.attribute in was and was[each.attribute] != each.to:
            if request.origin.kind == LEVEL:
                return PlanHeld(
                    STILL_HELD,
                    f"{request.target.name} has {each.attribute} {was[each.attribute]}, and had "
                    f"{each.to} when {request.origin.by} asked. Nothing was changed; it is looked "
                    "at again.",
                )
            by = f"run {request.parent}" if request.parent else "the last change"
            return PlanHeld(
                "changed_by_a_person",
                f"{request.target.name} has {each.attribute} {was[each.attribute]}, and {by} "
                f"had made it {each.to}: somebody changed it since. It is left as "
                "it is; to change it all the same, ask for the value that you want.",
                by_person=True,
            )
    return None


def put_off(
    request: Request, error: StepFailed | VendorError, fruitless_before: int, now: float
) -> PlanHeld | None:
    """The hold that a run ends with when it wrote nothing and the same request may succeed later.

    None for a refusal for good: trying it again by itself would help nobody.
    """
    wait_s = fruitless_wait_s(request, fruitless_before)
    if isinstance(error, HeldBack):
        until = error.until
        again_in_s = None if until is None else max(0.0, until - now)
        return PlanHeld(error.guard, error.sentence, retry_after_s=again_in_s)
    if isinstance(error, TargetChanged):
        return PlanHeld(CHANGED_SINCE_PLAN, error.sentence, retry_after_s=wait_s)
    if isinstance(error, VendorError) and error.kind is FailureKind.TEMPORARY:
        wait_s = max(wait_s, error.retry_after or 0.0)
        return PlanHeld(VENDOR_BUSY, f"{error} Nothing was changed.", retry_after_s=wait_s)
    return None


def cancelled_ending(request: Request, sentence: str, now: float) -> Ending:
    """A run that a person has cancelled: the full cooldown, because that person is at work."""
    return Ending(Outcome(CANCELLED, sentence, cooldown_end(now, request.cooldown_s)))


def shadow_ending(request: Request, plan: Plan, now: float) -> Ending:
    """A run in shadow: it would have changed this, and its cooldown shows the true rhythm."""
    reason = f"would have changed {request.target.name}: {plan.change}"
    return Ending(Outcome(SHADOW, reason, cooldown_end(now, request.cooldown_s)))


def hold_ending(
    request: Request,
    held: PlanHeld,
    now: float,
    new_id: Callable[[str], str],
    passed: tuple[Check, ...] = (),
) -> Ending:
    """Held before any write: at a bound the full cooldown, otherwise soon free.

    Where the guard knows when it lets go, the same request is tried again then, because the
    sender's next repeat may be hours away. `passed` are the checks that let it pass before.
    """
    if held.guard == RESOLVED:
        # Nothing was done and nothing is asked: whoever fires next may act at once.
        outcome = Outcome("held", held.reason, now)
        decision = _decision(request, held, passed, (now, now), new_id)
        return Ending(outcome, decision, SOONEST_AGAIN_S, if_wanted=True)
    if held.guard == CANCELLED:
        outcome = Outcome(CANCELLED, held.reason, cooldown_end(now, request.cooldown_s))
        return Ending(
            outcome, _decision(request, held, passed, (now, outcome.cooldown_until), new_id)
        )
    if request.origin.kind == SCENARIO:
        return _held_step(request, held, now)
    if held.guard in ASKED_AGAIN:
        # No claim is kept and no run waits: the alerts that still fire are judged again.
        until = now + (held.retry_after_s or 0.0)
        outcome = Outcome("held", held.reason, now, due_at=until)
        return Ending(outcome, _decision(request, held, passed, (now, until), new_id))
    if held.at_bound:
        cooldown_until, delay_s = cooldown_end(now, request.cooldown_s), None
    elif request.origin.kind in (RETURN, LEVEL):
        # Nothing is urgent about it, and whatever still wants it is asked again by then.
        cooldown_until, delay_s = cooldown_end(now, request.cooldown_s), None
    else:
        wait = max(SOONEST_AGAIN_S, held.retry_after_s or 0.0)
        cooldown_until = now + wait
        delay_s = wait if held.retry_after_s is not None and not request.origin.replayed else None
    return Ending(
        Outcome("held", held.reason, cooldown_until),
        _decision(request, held, passed, (now, cooldown_until), new_id),
        delay_s,
    )


def _held_step(request: Request, held: PlanHeld, now: float) -> Ending:
    """A step of a scenario is tried again each minute while a guard may let go, because nothing
    else asks for it; the scenario gives it up. A plan that nothing is done by is not."""
    delay_s = None
    if held.retry_after_s is not None and request.policy.mode != SHADOW:
        delay_s = SOONEST_AGAIN_S
    until = now if delay_s is None else now + delay_s
    return Ending(Outcome("held", held.reason, until), None, delay_s)


def _decision(
    request: Request,
    held: PlanHeld,
    passed: tuple[Check, ...],
    span: tuple[float, float],
    new_id: Callable[[str], str],
) -> NewDecision | None:
    now, until = span
    if not request.origin.alerts:
        return None
    decision = Decision(
        verdict=Verdict.HOLD,
        rule=request.origin.by,
        action=request.action,
        target=request.target.name,
        direction=request.direction,
        reason=held.reason,
        guard=held.guard,
        checks=(*passed, held.check),
        until=until,
        run=request.id,
        stage=Stage.EXECUTION,
    )
    return NewDecision(new_id("d"), request.origin.alerts[0], "", decision, now, now)
