"""Has scenarios go on: begins the runs of their steps, takes them back, and tells people.

A task beside the runs, and no workflow: a scenario may last for a month, which is longer than a
release, and a workflow that waits would hold one of the worker's places. Each look at a scenario is
one transaction (`service.store.scenarios`), so it does not matter where a worker dies. A run that
ends has its scenario looked at, and so does whatever a person says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from service.catalogue.registry import kind_spec
from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.approval import Approval, plan_hash
from service.domain.decisions.budget import Addition, Spend
from service.domain.decisions.controls import Control
from service.domain.decisions.directions import SET
from service.domain.decisions.guards import people_hold
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import ACT, APPROVE, SHADOW
from service.domain.decisions.requests import Request, Wanted
from service.domain.decisions.returns import first_firing
from service.domain.errors import StoreUnavailable
from service.domain.rules.rules import Target
from service.domain.scenarios.dollars import over_budget
from service.domain.scenarios.going import (
    ACTIVE,
    PLANNING,
    RUNNING,
    UNDER_WAY,
    UNDOING,
    UNSIGNED,
    WAITING,
    Facts,
    Next,
    Role,
    ScenarioNow,
    StepNow,
    advance,
    readings_for,
)
from service.domain.scenarios.scenarios import Step as StepSpec
from service.domain.scenarios.way import in_the_way, only_waits
from service.domain.watching import Taken as TakenReading
from service.engine import outbox, reports
from service.engine.parts import WorkerParts
from service.engine.unforeseen import sentence_of
from service.engine.watching import take_reading
from service.messages import scenarios as messages
from service.ports import MessageRef
from service.ports.admission import NewRun
from service.ports.scenarios import Looked, ScenarioUnreadable, Shown, Step, Stuck, Taken
from service.triggers.scenarios.wanted import is_disruptive

_log = structlog.get_logger(__name__)

HOLD_S = 30.0
"""For how long nobody else looks at a scenario that a worker has taken: its message may take ten
seconds, and its page as many."""
LOOK_S = 5.0
"""How often a scenario is looked at that goes on, in seconds. The end of each of its runs has it
looked at anyway; an approval, and a pause that ends, have not."""
REST_S = 60.0
"""How often one is looked at that is only in force."""
READ_FOR_S = 5.0
"""No further reading is begun in a look that has taken readings for so many seconds."""
PATIENCE_S = 3_600.0
"""For how long a step is tried again that its target or vendor holds, in seconds."""


TOLD_FROM = 2
"""Looks in a row that raise something, from which a person is told: one alone may be a connection
that was lost."""
LONGEST_AGAIN_S = 3_600.0
"""Between two looks at one that is stuck, at most, in seconds."""


class ScenarioRound:
    """Looks at the scenarios that are due; by any worker, and each by one at a time."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _sign: bool) -> None:
        """One round."""
        parts = self._parts
        while (taken := parts.scenarios.take(parts.clock.time(), HOLD_S)) is not None:
            try:
                self._go_on(taken)
            except StoreUnavailable as away:
                # It is looked at again when its hold is over.
                _log.warning("scenario_not_advanced", scenario=taken.id, why=str(away))
            except Exception as error:
                # It must not keep the others.
                _log.exception("scenario_not_advanced", scenario=taken.id)
                self._does_not_go_on(taken, error)

    def _go_on(self, taken: Taken) -> None:
        parts, at = self._parts, self._parts.clock.time()
        if parts.scenarios.ended_stuck(taken.id) and not self._ended_readable(taken):
            return
        controls = parts.controls.in_force()
        shown = parts.scenarios.shown(taken.id)
        asking = "" if shown is None else self._asking(shown.now, at)

        spends = () if shown is None else self._spends(shown.now)

        outside = _Outside(controls, asking, spends, *self._conditions(shown, at))

        def decide(looked: Looked) -> Step:
            return _step(looked, outside, at)

        now = parts.scenarios.advance(taken.id, decide, at)
        if now is None:
            return
        self._give_up(now, at)
        told = self._tell(now)
        now = self._remind(now)
        if shown is not None and shown.stuck:
            self._goes_on(taken)
        at = self._parts.clock.time()
        parts.scenarios.put_back(taken, _next_at(now, at) if told else at + LOOK_S)

    def _does_not_go_on(self, taken: Taken, error: Exception) -> None:
        """A look has raised something: look less and less often, and tell a person, once. Where the
        worker dies right after that, it is told twice."""
        parts, at = self._parts, self._parts.clock.time()
        unreadable = isinstance(error, ScenarioUnreadable)
        why = str(error) if unreadable else sentence_of(error, "A look at it")
        try:
            stuck = parts.scenarios.raised(taken, why, at)
            if not stuck.told and (unreadable or stuck.tries >= TOLD_FROM):
                reports.page(messages.stuck_page(stuck), parts)
                place = f"stuck/{stuck.run}"
                outbox.post_or_keep(messages.stuck(stuck), parts, place=place)
                stuck = replace(stuck, told=True)
            parts.scenarios.rest(taken, stuck, parts.clock.time() + _again_s(stuck, unreadable))
        except StoreUnavailable as away:
            _log.error("scenario_not_told", scenario=taken.id, why=str(away))

    def _goes_on(self, taken: Taken) -> None:
        """One that was stuck goes on, or has ended: the incident is over."""
        self._parts.scenarios.goes_on(taken.id)
        self._resolve(taken.id, messages.stuck_key(taken.id))

    def _ended_readable(self, taken: Taken) -> bool:
        """A person has ended one that did not go on: the incident is over. False where what is
        stored of it cannot be read, so that nothing more can be told of it."""
        self._goes_on(taken)
        try:
            self._parts.scenarios.shown(taken.id)
        except ScenarioUnreadable:
            self._parts.scenarios.put_back(taken, None)
            return False
        return True

    def _resolve(self, run: str, incident: str) -> None:
        if not reports.resolve(incident, self._parts, attempts=1):
            _log.warning("incident_left_open", scenario=run, incident=incident)

    def _asking(self, now: ScenarioNow, at: float) -> str:
        """An alert that asks for more of what would be taken away; empty where none does."""
        if now.state not in (RUNNING, ACTIVE, UNDOING):
            return ""
        if own := self._trigger(now, at):
            return own
        for each in now.steps:
            if each.step.restores and each.step.target is not None:
                firing = first_firing(self._parts.ledger.asking_more(each.step.target, at))
                if firing is not None:
                    return firing.name
        return ""

    def _trigger(self, now: ScenarioNow, at: float) -> str:
        """That an alert fires by which a rule has started it; else empty."""
        run = self._parts.runs.get(now.parent) if now.parent else None
        if run is None or not self._parts.runs.still_wanted(run.request, at):
            return ""
        return f"an alert of rule {now.by}"

    def _conditions(
        self, shown: Shown | None, at: float
    ) -> tuple[Mapping[str, TakenReading], bool | None]:
        """The readings on which it depends what follows; and whether what has started it is over,
        None where that does not matter."""
        if shown is None:
            return {}, None
        now, until = shown.now, self._parts.clock.monotonic() + READ_FOR_S
        taken = {name: take_reading(name, until, self._parts) for name in readings_for(now)}
        early = now.scenario.early
        if early is None or early.reading or not now.parent or now.state != ACTIVE:
            return taken, None
        fires = self._parts.runs.any_open(now.alerts) or bool(self._trigger(now, at))
        return taken, not fires

    def _spends(self, now: ScenarioNow) -> Sequence[Spend]:
        """What the targets cost, where it decides who has to sign."""
        gate = now.scenario.signoff
        if gate is None or not gate.above_budget or now.state not in (PLANNING, WAITING, UNSIGNED):
            return ()
        return self._parts.spend.known()

    def _remind(self, now: ScenarioNow) -> ScenarioNow:
        """Who has not signed in time is reminded; once, or twice where the worker dies in
        between."""
        at = self._parts.clock.time()
        if now.remind_at is None or at < now.remind_at:
            return now
        place = f"signoff/{now.id}"
        outbox.post_or_keep(messages.reminder(now), self._parts, place=place)
        self._parts.scenarios.reminded(now.id, at)
        return replace(now, reminded=True)

    def _give_up(self, now: ScenarioNow, at: float) -> None:
        """A step that was held again and again for too long ends."""
        why = "it was tried again for an hour"
        for each in now.steps:
            tried = each.child is not None and not each.child.run.endswith(".1")
            if each.state == UNDER_WAY and tried and each.child is not None:
                long = each.began_at is not None and at - each.began_at > PATIENCE_S
                if long and each.child.status == "queued":
                    self._parts.scenarios.give_up(each.child.run, why, at)
            back = each.back
            if each.back_state != UNDER_WAY or back is None or back.status != "queued":
                continue
            # When it began is not kept; it is tried again each minute.
            if int(back.run.rpartition(".")[2]) > PATIENCE_S / REST_S:
                self._parts.scenarios.give_up(back.run, why, at)

    def _tell(self, now: ScenarioNow) -> bool:
        """The scenario's message says how it is now, and the person on call knows what is wrong.
        False where another worker is telling: it has to be looked at again.

        A run that ends has its scenario looked at while another look is still telling. One at a
        time does: otherwise its message is posted twice, or an older state is told last.
        """
        parts, at = self._parts, self._parts.clock.time()
        shown = parts.scenarios.shown(now.id)
        if shown is None or now.plan_only or not _news(shown, now):
            return True
        shown = parts.scenarios.begin_telling(now.id, at, at + HOLD_S)
        if shown is None:
            return False
        message = messages.told(shown.now)
        told, paged = _digest(repr(message)), _digest(now.page) if now.page else shown.paged
        if _page_is_over(shown, now):
            self._resolve(now.id, run_dedup_key(now.id))
            paged = ""
        elif paged != shown.paged:
            reports.page(messages.page(now), parts)
        if told != shown.told:
            outbox.tell_in_place(now.id, message, parts, lambda: self._place(now.id))
        parts.scenarios.told(now.id, told, paged)
        return True

    def _place(self, run: str) -> MessageRef | None:
        shown = self._parts.scenarios.shown(run)
        return None if shown is None else shown.message


def _next_at(now: ScenarioNow, at: float) -> float | None:
    if now.ended:
        return now.remind_at
    if now.state == UNSIGNED or (now.state == UNDOING and now.suspended):
        return at + REST_S
    if now.state != ACTIVE:
        return at + LOOK_S
    due_at = now.due_at
    if due_at is None or due_at <= at:
        return at + REST_S
    return min(due_at, at + REST_S)


def _news(shown: Shown, now: ScenarioNow) -> bool:
    """Whether people were not told of this yet."""
    untold = _digest(repr(messages.told(shown.now))) != shown.told
    unpaged = bool(now.page) and _digest(now.page) != shown.paged
    return untold or unpaged or _page_is_over(shown, now)


def _page_is_over(shown: Shown, now: ScenarioNow) -> bool:
    """Whether it has ended with nothing wrong, and the person on call was paged before: that it was
    over its time."""
    return now.ended and not now.page and bool(shown.paged)


def _again_s(stuck: Stuck, unreadable: bool) -> float:
    """Seconds until one that is stuck is looked at again. A row that cannot be read is set aside:
    only another version of runbookd may read it."""
    backoff: float = HOLD_S * 2.0 ** min(stuck.tries - 1, 10)
    return LONGEST_AGAIN_S if unreadable else min(backoff, LONGEST_AGAIN_S)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Outside:
    """What was read before the transaction in which a scenario goes on."""

    controls: tuple[Control, ...]
    asking: str
    spends: Sequence[Spend]
    taken: Mapping[str, TakenReading]
    resolved: bool | None


def _step(looked: Looked, outside: _Outside, at: float) -> Step:
    """What follows for one scenario, with the runs that begin."""
    steps = {each.step.id: each for each in looked.now.steps}

    def made(step: str, role: Role) -> Request:
        return _request(looked.now, steps[step], looked.asks[step], role)

    remaining = _once_begun(looked.now, outside.controls, at)

    def held(step: StepSpec, role: Role) -> str:
        request = made(step.id, role)
        if request.on is None:
            return ""
        return people_hold(request, remaining, at)

    facts = Facts(
        held,
        outside.asking,
        _plan_hash(looked.now),
        _disruptive(looked.asks),
        _over_budget(looked, outside.spends, at),
        outside.taken,
        outside.resolved,
    )
    following: Next = advance(looked.now, at, facts)
    runs = [
        (step, role, _new_run(made(step, role), looked.now.id, at))
        for step, role in following.begin
    ]
    return Step(following, runs)


def _once_begun(now: ScenarioNow, controls: tuple[Control, ...], at: float) -> tuple[Control, ...]:
    """What still holds its steps in this look: an emergency that is signed now lifts what stands in
    its way as it begins."""
    if not only_waits(now.state, emergency=now.scenario.emergency):
        return controls
    lifted = in_the_way(now.scenario, controls, at)
    return tuple(each for each in controls if each not in lifted)


def _new_run(request: Request, scenario_run: str, at: float) -> NewRun:
    if request.on is None:
        claim = f"{scenario_run}.{request.step}"
        return NewRun(replace(request, subject=claim), f"message:{claim}", at)
    return NewRun(request, request.on.resource, at)


def _plan_hash(now: ScenarioNow) -> str:
    """What is approved: the plans of all steps."""
    facts = [
        [
            each.step.id,
            ""
            if each.plan is None or each.plan.plan is None
            else plan_hash(each.step.target or "", each.plan.plan),
        ]
        for each in now.steps
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _over_budget(looked: Looked, spends: Sequence[Spend], at: float) -> str:
    """Why the plans of all steps together do not fit the budget; empty where they do."""
    gate = looked.now.scenario.signoff
    if gate is None or not gate.above_budget:
        return ""
    budget = next((ask.policy.budget for ask in looked.asks.values() if ask.on is not None), None)
    additions = [
        Addition(each.step.target, each.plan.plan.price_before, each.plan.plan.price_after)
        for each in looked.now.steps
        if each.step.target is not None
        and each.plan is not None
        and each.plan.plan is not None
        and not each.plan.free
    ]
    return over_budget(budget, additions, spends, at)


def _disruptive(asks: Mapping[str, Request]) -> tuple[str, ...]:
    return tuple(
        step
        for step, ask in asks.items()
        if ask.on is not None and is_disruptive(ask.action, ask.on)
    )


def _request(now: ScenarioNow, step: StepNow, ask: Request, role: Role) -> Request:
    """What a run of a step asks for."""
    if role is Role.PLAN:
        return replace(ask, policy=replace(ask.policy, mode=SHADOW, budget=None))
    policy = ask.policy
    if now.scenario.emergency or now.approved or now.budget_signed:
        # The dollars were approved or signed with the whole of it, or are asked of nobody.
        policy = replace(policy, budget=None)
    if role is Role.BACK:
        return _way_back(now, step, replace(ask, policy=policy))
    if step.step.confirm and policy.mode == ACT:
        terms = now.scenario.approval or Approval()
        policy = replace(policy, mode=APPROVE, approval=terms)
    return replace(ask, policy=policy)


def _way_back(now: ScenarioNow, step: StepNow, ask: Request) -> Request:
    """What puts back what a step has changed, where it still is what the step made of it."""
    plan = None if step.child is None else step.child.plan
    if plan is None or ask.on is None:
        raise TypeError(f"step {step.step.id} of {now.id} has changed nothing")
    by_person = now.back is not None and now.back.by_person
    said = "" if now.back is None else now.back.said
    policy = ask.policy
    if not by_person and kind_spec(ask.on.kind).interrupts and policy.mode == ACT:
        policy = replace(policy, mode=APPROVE, approval=now.scenario.approval or Approval())
    return replace(
        ask,
        direction=SET,
        wanted=_values(ask.on, plan, 0),
        expects=_values(ask.on, plan, 1),
        options={},
        policy=policy,
        origin=replace(ask.origin, why=f"the way back of {now.id}, {said}"),
        override=f"taken back by {said}" if by_person else "",
    )


def _values(target: Target, plan: Plan, which: int) -> tuple[Wanted, ...]:
    """What the target was (0), or what the plan made of it (1), as absolute values."""
    changed = kind_spec(target.kind).changed(plan)
    return tuple(Wanted(name, to=pair[which]) for name, pair in changed.items())
