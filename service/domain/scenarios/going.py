"""How a scenario that was started goes on: from what its runs have become to what follows. Pure.

All of it is kept in SQL. A worker reads it, asks `advance`, and writes what that returns in the
same transaction. So a worker that dies leaves it either before that or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from service.domain.decisions.approval import ACT, APPROVED, PAGE, REJECTED
from service.domain.decisions.planning import Plan
from service.domain.durations import lasted
from service.domain.scenarios.scenarios import CONTINUE, STOP, UNDO, Scenario, Step, When
from service.domain.scenarios.scenarios import PAGE as PAGES
from service.domain.scenarios.signoffs import AFTER, BEFORE, WITHIN_S, Signoff, missing
from service.domain.watching import Taken, read_term

PLANNING, WAITING, RUNNING, ACTIVE, UNDOING = "planning", "waiting", "running", "active", "undoing"
UNSIGNED = "unsigned"
UNENDED = (PLANNING, WAITING, UNSIGNED, RUNNING, ACTIVE, UNDOING)
"""The states of a scenario that goes on. `active` has done its steps, and is in force until its
end; `unsigned` waits for sign-offs."""
BEGINNING = (PLANNING, WAITING, UNSIGNED, RUNNING)
"""The states in which a step may begin, now or later: a person may cancel it."""
PLANNED, DONE, INCOMPLETE, UNDONE, CANCELLED, REFUSED = (
    "planned",
    "done",
    "incomplete",
    "undone",
    "cancelled",
    "rejected",
)
ENDED = (PLANNED, DONE, INCOMPLETE, UNDONE, CANCELLED, REFUSED)
PENDING, UNDER_WAY, STEP_DONE, FAILED, LEFT_OUT, NOT_NEEDED = (
    "pending",
    "under way",
    "done",
    "failed",
    "left out",
    "not needed",
)
OVER = (STEP_DONE, FAILED, LEFT_OUT, NOT_NEEDED)
"""The states of a step of which nothing more becomes. One that is not needed did not have to begin,
by its `when`: what comes after it goes on."""
RESTORED, LEFT = "restored", "left"
"""What the way back has made of a step; it may also be pending, under way or failed."""
BACK_OVER = (RESTORED, LEFT, FAILED)
SUSPENDED = "suspended"
"""What a cancel is by which an emergency has nothing more begin of another scenario."""

ALREADY_THERE, CHANGED_SINCE = "already_there", "changed_by_a_person"
"""Guards of a run whose target is as wanted already, and of one whose target was changed since."""
WATCHES = "watch"
"""The action that goes on for hours. Its step is done once it watches, and holds up nothing."""
MONTH_S = 730 * 3_600.0
"""Seconds for which a price a month is reckoned; vendors bill 730 hours."""
GAP_S = 300.0
"""Seconds without a look after which nobody knows any more that something has held all the time.
One that is in force is looked at each minute."""


class Role(StrEnum):
    """What a run of a step is for."""

    PLAN = "plan"
    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Child:
    """A run of a step, as it is now.

    `guard` is what held it, empty where nothing did. `wrote` is whether any write of it took effect
    or may have. `free` is whether its target costs nothing.
    """

    run: str
    status: str
    reason: str
    guard: str = ""
    plan: Plan | None = None
    wrote: bool = False
    free: bool = False

    @property
    def ended(self) -> bool:
        """Whether it has an outcome. One that waits for a person's approval has none yet."""
        return self.status not in ("queued", "running", "waiting")

    @property
    def changed(self) -> bool:
        """Whether it has changed its target, or may have."""
        if self.plan is None:
            return False
        return self.status == "succeeded" or (self.wrote and self.ended)

    @property
    def dollars(self) -> float | None:
        """What its plan adds to the bill, in dollars a month; None where that is not known."""
        if self.free or self.guard == ALREADY_THERE:
            return 0.0
        if self.plan is None or self.plan.price_before is None or self.plan.price_after is None:
            return None
        return self.plan.price_after - self.plan.price_before


@dataclass(frozen=True, slots=True)
class StepNow:
    """A step as it is now: its runs, and what they have become. Times are seconds since the
    epoch."""

    step: Step
    state: str = PENDING
    reason: str = ""
    began_at: float | None = None
    child: Child | None = None
    plan: Child | None = None
    back_state: str = ""
    back_reason: str = ""
    back: Child | None = None

    @property
    def changed(self) -> bool:
        """Whether it has changed its target, or may have."""
        return self.child is not None and self.child.changed


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan that waits for approval: its hash, what it adds a month (None where not known), why it
    is asked, and until when, in seconds since the epoch."""

    plan: str
    dollars: float | None
    why: str
    until: float


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person, or runbookd itself, has said of it: who, why and when; `what` is one of
    approved and rejected where it decides, and suspended where an emergency has stopped it.
    `by_person` is whether a person has."""

    by: str
    why: str
    at: float
    what: str = ""
    by_person: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be kept."""
        return asdict(self)

    @property
    def said(self) -> str:
        """Who and why, in one line."""
        return f"{self.by}: {self.why}" if self.why else self.by


@dataclass(frozen=True, slots=True)
class Quiet:
    """Since when what ends a scenario early has held, and when it was seen last; in seconds since
    the epoch."""

    since: float
    at: float


@dataclass(frozen=True, slots=True)
class MadeWay:
    """What an emergency has ended as it began: the pauses, locks and holds that it has lifted, in
    words, and the ids of the scenarios that it has suspended."""

    lifted: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioNow:
    """A scenario that was started, as it is now.

    `began_at` is when its first step could begin, `due_at` when the way back begins; both are None
    before. `approved` is the hash of the plan that was approved. `plan_hash` is what sign-offs are
    bound to: the hash of its newest plan, and of an emergency, of what its steps say. `reminded` is
    whether people were reminded of sign-offs that are missing after it. `page` is what the person
    on call has to know, empty where that is nothing. `message` is where its message is, as the
    messenger names it; empty where it has none. `parent` is the run by which a rule has started it,
    empty where a person has; `by` is that rule then, and `alerts` are the episodes that asked.
    `quiet` is since when what ends it early has held, None where it does not hold. `stuck` is
    whether people were told that it does not go on. `made_way` is what an emergency has ended as it
    began.
    """

    id: str
    scenario: Scenario
    by: str
    why: str
    state: str
    steps: tuple[StepNow, ...]
    plan_only: bool = False
    reason: str = ""
    began_at: float | None = None
    due_at: float | None = None
    cancel: Deed | None = None
    back: Deed | None = None
    asked: Asked | None = None
    decided: Deed | None = None
    approved: str = ""
    page: str = ""
    plan_hash: str = ""
    signoffs: tuple[Signoff, ...] = ()
    reminded: bool = False
    message: str = ""
    parent: str = ""
    alerts: tuple[str, ...] = ()
    quiet: Quiet | None = None
    stuck: bool = False
    made_way: MadeWay = MadeWay()

    @property
    def starter(self) -> str:
        """Who has started it, in words."""
        return f"rule {self.by}" if self.parent else self.by

    @property
    def goes_back(self) -> bool:
        """Whether the way back begins by itself, at `due_at`. Once it was cancelled, a person says
        when."""
        return self.state == ACTIVE and self.cancel is None and self.due_at is not None

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it, unless a person asks for the way back."""
        return self.state in ENDED

    @property
    def signs(self) -> str:
        """What can be signed now: BEFORE its first step, AFTER its last; empty where neither."""
        if self.scenario.signoff is None or self.plan_only:
            return ""
        if self.state in (WAITING, UNSIGNED) and self.plan_hash:
            return BEFORE
        over = self.state in (ACTIVE, UNDOING, DONE, INCOMPLETE, UNDONE, CANCELLED)
        return AFTER if over and self.began_at is not None else ""

    @property
    def may_sign(self) -> tuple[str, ...]:
        """The roles whose sign-off is taken now, and has not been given; of an emergency any one of
        them is enough."""
        gate = self.scenario.signoff
        if gate is None or self.signs != BEFORE:
            return self.unsigned_after
        wanted = (*gate.before, *gate.above_budget)
        return missing(wanted, BEFORE, self.plan_hash, self.signoffs)

    @property
    def budget_signed(self) -> bool:
        """Whether all who sign for what is above the budget have signed its plan."""
        gate = self.scenario.signoff
        if gate is None or not gate.above_budget:
            return False
        return not missing(gate.above_budget, BEFORE, self.plan_hash, self.signoffs)

    @property
    def unsigned_after(self) -> tuple[str, ...]:
        """The roles that have not signed yet once its steps are over; empty before that."""
        gate = self.scenario.signoff
        if gate is None or self.signs != AFTER:
            return ()
        return missing(gate.after, AFTER, self.plan_hash, self.signoffs)

    @property
    def remind_at(self) -> float | None:
        """When people are reminded of sign-offs that are missing, in seconds since the epoch; None
        where nothing is missing, or they were reminded."""
        if self.began_at is None or self.reminded or not self.unsigned_after:
            return None
        return self.began_at + WITHIN_S

    @property
    def suspended(self) -> str:
        """By what emergency it is suspended; empty where it is not. Nothing of it begins then, not
        even the way back, until a person says undo."""
        suspended = self.cancel is not None and self.cancel.what == SUSPENDED
        return self.cancel.why if suspended and self.cancel is not None else ""

    @property
    def failed(self) -> list[StepNow]:
        """The steps that were not done."""
        return [each for each in self.steps if each.state == FAILED]

    @property
    def dollars(self) -> float | None:
        """What its steps have added to the bill, in dollars a month; None where one is not
        known."""
        return added([each.child for each in self.steps if each.changed])


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known besides: `held` says what stands in the way of a run of a step now, empty where
    nothing does. `asking` names an alert that asks for more of a target, empty where none does.
    `plan_hash` tells what the plans of the steps are, in a few digits. `disruptive` names the steps
    that take their target down. `over_budget` says why the plans do not fit the budget, empty where
    they do. `taken` are the readings that
    were taken, by their names. `resolved` is whether no alert fires by which a rule has started it;
    None where that is not known, or no rule has."""

    held: Callable[[Step, Role], str]
    asking: str = ""
    plan_hash: str = ""
    disruptive: tuple[str, ...] = ()
    over_budget: str = ""
    taken: Mapping[str, Taken] = field(default_factory=dict)
    resolved: bool | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """What follows: the scenario as it is from now on, and the runs that begin."""

    now: ScenarioNow
    begin: tuple[tuple[str, Role], ...] = ()


def added(children: list[Child | None]) -> float | None:
    """What all these plans add to the bill, in dollars a month; None where one is not known."""
    dollars = [each.dollars for each in children if each is not None]
    known = [each for each in dollars if each is not None]
    return sum(known) if len(known) == len(dollars) else None


def readings_for(now: ScenarioNow) -> tuple[str, ...]:
    """The names of the readings that decide what follows now."""
    now = _with_outcomes(now)
    terms = []
    if now.state == PLANNING:
        terms = [each.step.when.term for each in now.steps if each.step.when is not None]
    if now.state == RUNNING:
        turns = [each for each in now.steps if each.state == PENDING and _may_begin(each, now)]
        terms = [each.step.when.term for each in turns if each.step.when is not None]
    early = now.scenario.early
    if now.state == ACTIVE and early is not None and early.reading:
        terms = [read_term(early.reading)]
    return tuple(dict.fromkeys(each.name for each in terms))


def advance(now: ScenarioNow, at: float, facts: Facts) -> Next:
    """What follows at `at`, in seconds since the epoch."""
    now = _with_outcomes(now)
    begin: tuple[tuple[str, Role], ...] = ()
    while True:
        state = now.state
        if now.ended:
            break
        now, more = _OF_STATE[state](now, at, facts)
        begin += more
        if now.state == state:
            break
    return Next(replace(now, page=_page(now, at, facts)), begin)


_Went = tuple[ScenarioNow, tuple[tuple[str, Role], ...]]


def _with_outcomes(now: ScenarioNow) -> ScenarioNow:
    return replace(now, steps=tuple(_back_outcome(_outcome(each)) for each in now.steps))


def _outcome(step: StepNow) -> StepNow:
    child = step.child
    if step.state != UNDER_WAY or child is None:
        return step
    if step.step.action == WATCHES and child.status == "running":
        return replace(step, state=STEP_DONE, reason=f"run {child.run} watches by itself")
    if not child.ended:
        return replace(step, reason=_waits(child))
    done = child.status in ("succeeded", "shadow") or child.guard == ALREADY_THERE
    return replace(step, state=STEP_DONE if done else FAILED, reason=child.reason)


def _back_outcome(step: StepNow) -> StepNow:
    child = step.back
    if step.back_state != UNDER_WAY or child is None:
        return step
    if not child.ended:
        return replace(step, back_reason=_waits(child))
    if child.status in ("succeeded", "shadow") or child.guard == ALREADY_THERE:
        state = RESTORED
    else:
        state = LEFT if child.guard == CHANGED_SINCE else FAILED
    return replace(step, back_state=state, back_reason=child.reason)


def _waits(child: Child) -> str:
    if child.status == "waiting":
        return f"waits for approval: {child.reason}"
    return ""


# ---- Before it begins ----


def _planning(now: ScenarioNow, at: float, facts: Facts) -> _Went:
    if now.cancel is not None:
        return _ended(now, CANCELLED, f"cancelled by {now.cancel.said}"), ()
    planned = [each for each in now.steps if each.step.target is not None]
    missing = tuple((each.step.id, Role.PLAN) for each in planned if each.plan is None)
    if missing or not all(each.plan and each.plan.ended for each in planned):
        return now, missing
    now = replace(now, steps=tuple(_foretold(each, facts) for each in now.steps))
    if now.plan_only:
        return _ended(now, PLANNED, "nothing was changed"), ()
    was, now = now.plan_hash, replace(now, plan_hash=facts.plan_hash)
    why = _must_ask(now, facts)
    if not why or (now.approved and now.approved == facts.plan_hash):
        if unsigned := _unsigned_why(now, facts, changed=was not in ("", facts.plan_hash)):
            return replace(now, state=UNSIGNED, reason=unsigned), ()
        return replace(now, state=RUNNING, began_at=at, reason=""), ()
    if now.approved:
        why = f"what was approved has changed meanwhile, so it is asked again: {why}"
    terms = now.scenario.approval
    until = at + (terms.wait_s if terms is not None else 0.0)
    asked = Asked(facts.plan_hash, _planned_dollars(now), why, until)
    return replace(now, state=WAITING, asked=asked, decided=None, reason=why), ()


def _foretold(step: StepNow, facts: Facts) -> StepNow:
    """A step with what its `when` says by the readings of now, for whoever reads the plan."""
    when = step.step.when
    if when is None:
        return step
    state, why = _decided(when, facts.taken.get(when.term.name, Taken(None, "it was not taken")))
    then = "it would begin" if state == PENDING else "it would not begin"
    return replace(step, reason=f"only when {when.reading}. {why}: now {then}")


def _decided(when: When, taken: Taken) -> tuple[str, str]:
    """What becomes of a step at its turn by its `when`, PENDING where it begins; and why."""
    if taken.value is None:
        why = f"{when.term.name} is not known ({taken.why.rstrip('.')})"
        return (PENDING if when.unknown_begins else LEFT_OUT), why
    why = f"{when.term.name} is {taken.value:,.10g}"
    return (PENDING if when.term.beyond(taken.value) else NOT_NEEDED), why


def _planned_dollars(now: ScenarioNow) -> float | None:
    """What is approved with the whole of it: a step that a person confirms is approved by
    itself."""
    return added([each.plan for each in now.steps if not each.step.confirm])


def _must_ask(now: ScenarioNow, facts: Facts) -> str:
    """Why a person has to approve it; empty where nobody has to."""
    scenario = now.scenario
    if scenario.approval is None or scenario.emergency:
        return ""
    unasked = [each.step.id for each in now.steps if not each.step.confirm]
    down = [each for each in facts.disruptive if each in unasked]
    if down:
        return f"step {', '.join(down)} takes its target down for a while"
    dollars = _planned_dollars(now)
    if dollars is None:
        return "what it adds to the bill is not known"
    if dollars > scenario.above:
        return f"it adds ${dollars:,.10g} a month, and is asked above ${scenario.above:,.10g}"
    return "" if scenario.above else "it is always asked"


def _waiting(now: ScenarioNow, at: float, _facts: Facts) -> _Went:
    if now.cancel is not None:
        return _ended(now, CANCELLED, f"cancelled by {now.cancel.said}"), ()
    terms, asked = now.scenario.approval, now.asked
    if asked is None or terms is None:
        return replace(now, state=PLANNING), ()
    decided = now.decided
    if decided is None and at >= asked.until:
        why = f"nobody decided within {lasted(terms.wait_s)}"
        what = APPROVED if terms.otherwise == ACT else REJECTED
        decided = Deed("runbookd", why, at, what, by_person=False)
        now = replace(now, decided=decided)
    if decided is None:
        return now, ()
    if decided.what != APPROVED:
        return _ended(now, REFUSED, f"rejected by {decided.said}. Nothing was changed"), ()
    # What was approved is looked at once more: another plan is asked for again.
    steps = tuple(replace(each, plan=None) for each in now.steps)
    return replace(now, state=PLANNING, approved=asked.plan, steps=steps, reason=""), ()


def _unsigned_why(now: ScenarioNow, facts: Facts, *, changed: bool = False) -> str:
    """Whose sign-off it waits for before its first step, and why; empty where it waits for none.
    `changed` is whether an earlier plan was shown to people."""
    gate = now.scenario.signoff
    if gate is None:
        return ""
    if now.scenario.emergency:
        lacks = missing(gate.before, BEFORE, now.plan_hash, now.signoffs)
        if len(lacks) < len(set(gate.before)) or not lacks:
            return ""
        return f"the sign-off of {' or '.join(lacks)} is missing; one of them is enough"
    above = gate.above_budget if facts.over_budget else ()
    lacks = missing((*gate.before, *above), BEFORE, now.plan_hash, now.signoffs)
    if not lacks:
        return ""
    said = f"the sign-off of {' and '.join(lacks)} is missing"
    if any(each in gate.above_budget and each not in gate.before for each in lacks):
        said = f"{said}, because {facts.over_budget}"
    if changed and any(each.phase == BEFORE for each in now.signoffs):
        said = f"{said}. The plan has changed since it was signed, so it is asked again"
    return said


def _unsigned(now: ScenarioNow, at: float, facts: Facts) -> _Went:
    if now.cancel is not None:
        return _ended(now, CANCELLED, f"cancelled by {now.cancel.said}"), ()
    if why := _unsigned_why(now, facts):
        # The sentence that tells of a changed plan stays.
        kept = now.reason if now.reason.startswith(why) else why
        return replace(now, reason=kept), ()
    if now.scenario.emergency:
        return replace(now, state=RUNNING, began_at=at, reason=""), ()
    # What was signed is looked at once more: another plan is signed again.
    steps = tuple(replace(each, plan=None) for each in now.steps)
    return replace(now, state=PLANNING, steps=steps, reason=""), ()


# ---- Its steps ----


def _running(now: ScenarioNow, at: float, facts: Facts) -> _Went:
    now = replace(now, began_at=now.began_at or at)
    now = _without_left_out(now)
    begin: list[tuple[str, Role]] = []
    steps = []
    for each in now.steps:
        if each.state == PENDING and _may_begin(each, now):
            held = facts.held(each.step, Role.FORWARD)
            if held:
                each = replace(each, reason=held)  # noqa: PLW2901 - the same step, with its reason
            elif (kept := _by_when(each, facts)) is not None:
                each = kept  # noqa: PLW2901 - the same step, which does not begin
            else:
                begin.append((each.step.id, Role.FORWARD))
                each = replace(each, state=UNDER_WAY, reason="", began_at=at)  # noqa: PLW2901 - begun
        steps.append(each)
    now = replace(now, steps=tuple(steps))
    if any(each.state not in OVER for each in now.steps):
        return now, tuple(begin)
    return _after_steps(now, at), ()


def _by_when(step: StepNow, facts: Facts) -> StepNow | None:
    """A step that does not begin now because of its `when`, with the reason; None where it does."""
    when = step.step.when
    if when is None:
        return None
    taken = facts.taken.get(when.term.name)
    if taken is None:
        # Its turn has come in this very look, so the next one asks.
        return replace(step, reason=f"{when.term.name} is looked at next")
    state, why = _decided(when, taken)
    if state == PENDING:
        return None
    return replace(step, state=state, reason=f"only when {when.reading}, and {why}")


def _without_left_out(now: ScenarioNow) -> ScenarioNow:
    """Each pending step that can never begin any more is left out, and what comes after it."""
    while True:
        out = {each.step.id: why for each in now.steps if (why := _never(each, now))}
        if not out:
            return now
        steps = [
            replace(each, state=LEFT_OUT, reason=out[each.step.id]) if each.step.id in out else each
            for each in now.steps
        ]
        now = replace(now, steps=tuple(steps))


def _never(step: StepNow, now: ScenarioNow) -> str:
    """Why a pending step begins no more; empty where it may."""
    if step.state != PENDING:
        return ""
    for deed, word in ((now.cancel, "cancelled"), (now.back, "taken back")):
        if deed is not None:
            return f"the scenario was {word} by {deed.said}"
    stopping = [each for each in now.failed if each.step.on_failure in (STOP, UNDO)]
    if stopping:
        return f"step {stopping[0].step.id} was not done"
    for each in now.steps:
        if each.step.id not in step.step.after:
            continue
        if each.state == LEFT_OUT or (each.state == FAILED and each.step.on_failure != CONTINUE):
            return f"it comes after {each.step.id}, which was not done"
    return ""


def _may_begin(step: StepNow, now: ScenarioNow) -> bool:
    return all(each.state in OVER for each in now.steps if each.step.id in step.step.after)


def _after_steps(now: ScenarioNow, at: float) -> ScenarioNow:
    """All steps are over: it is in force until its end, or over too."""
    asked_back = [each for each in now.failed if each.step.on_failure == UNDO]
    if now.back is None and asked_back:
        why = f"step {asked_back[0].step.id} was not done, and says undo"
        now = replace(now, back=Deed(now.scenario.name, why, at, by_person=False))
    if now.back is not None:
        return replace(now, state=UNDOING)
    reason = _summary(now)
    due_at = _due_at(now)
    if due_at is not None and any(each.step.restores and each.changed for each in now.steps):
        return replace(now, state=ACTIVE, due_at=due_at, reason=reason)
    if now.cancel is not None:
        return _ended(now, CANCELLED, reason)
    return _ended(now, INCOMPLETE if _undone_steps(now) else DONE, reason)


def _undone_steps(now: ScenarioNow) -> list[StepNow]:
    return [each for each in now.steps if each.state not in (STEP_DONE, NOT_NEEDED)]


def _summary(now: ScenarioNow) -> str:
    done = [each.step.id for each in now.steps if each.state == STEP_DONE]
    said = [f"done: {', '.join(done)}" if done else "nothing was done"]
    if now.failed:
        said.append(f"failed: {', '.join(each.step.id for each in now.failed)}")
    said += [
        f"{state}: {', '.join(out)}"
        for state in (LEFT_OUT, NOT_NEEDED)
        if (out := [each.step.id for each in now.steps if each.state == state])
    ]
    if now.cancel is not None:
        said.append(f"cancelled by {now.cancel.said}")
    return "; ".join(said)


def _due_at(now: ScenarioNow) -> float | None:
    """When it ends: after its time, or once what it may spend is spent."""
    began_at, scenario = now.began_at or 0.0, now.scenario
    ends = [began_at + each for each in (scenario.lasts_s, scenario.covers_s) if each is not None]
    dollars = now.dollars
    if scenario.dollars is not None and dollars is not None and dollars > 0:
        ends.append(began_at + scenario.dollars / dollars * MONTH_S)
    return min(ends, default=None)


# ---- Its end, and the way back ----


def _active(now: ScenarioNow, at: float, facts: Facts) -> _Went:
    now = _watched(now, at, facts)
    over = _over(now, at)
    # An emergency that has suspended it still needs what it has set, so a person takes it back.
    if now.back is None and over and not facts.asking and now.cancel is None:
        now = replace(now, back=Deed("runbookd", over, at, by_person=False))
    return (replace(now, state=UNDOING) if now.back is not None else now), ()


def _watched(now: ScenarioNow, at: float, facts: Facts) -> ScenarioNow:
    """One that is in force, with since when what ends it early has held. What is not known does not
    hold, and nobody knows what held while nobody looked."""
    early = now.scenario.early
    if early is None:
        return now
    if early.reading:
        term = read_term(early.reading)
        taken = facts.taken.get(term.name)
        holds = taken is not None and taken.value is not None and term.beyond(taken.value)
    else:
        holds = facts.resolved is True
    if not holds:
        return replace(now, quiet=None)
    seen = now.quiet
    since = at if seen is None or at - seen.at > GAP_S else seen.since
    return replace(now, quiet=Quiet(since, at))


def _over(now: ScenarioNow, at: float) -> str:
    """Why one that is in force ends; empty while it does not."""
    early, quiet = now.scenario.early, now.quiet
    if early is not None and quiet is not None and at - quiet.since >= early.for_s:
        return early.said
    if now.due_at is None or at < now.due_at:
        return ""
    covers_s, began_at = now.scenario.covers_s, now.began_at or 0.0
    if covers_s is not None and now.due_at >= began_at + covers_s:
        return f"its spending was approved for {lasted(covers_s)}"
    return "its time is over"


def _undoing(now: ScenarioNow, _at: float, facts: Facts) -> _Went:
    steps = [
        replace(each, back_state=PENDING) if not each.back_state and _goes_back(each) else each
        for each in now.steps
    ]
    begin: list[tuple[str, Role]] = []
    for number, each in enumerate(steps):
        if each.back_state != PENDING or any(
            behind.back_state in (PENDING, UNDER_WAY) for behind in _behind(each, steps)
        ):
            continue
        by_itself = now.back is not None and not now.back.by_person
        asked = f"{facts.asking} asks for more" if by_itself and facts.asking else ""
        if held := _suspended(now) or asked or facts.held(each.step, Role.BACK):
            steps[number] = replace(each, back_reason=held)
            continue
        begin.append((each.step.id, Role.BACK))
        steps[number] = replace(each, back_state=UNDER_WAY, back_reason="")
    now = replace(now, steps=tuple(steps))
    going = [each for each in steps if each.back_state and each.back_state not in BACK_OVER]
    if going:
        return now, tuple(begin)
    lost = any(each.back_state == FAILED for each in steps)
    return _ended(now, INCOMPLETE if lost else UNDONE, _back_summary(now)), ()


def _suspended(now: ScenarioNow) -> str:
    """That the way back waits for the end of an emergency; empty where it does not."""
    if not now.suspended:
        return ""
    return f"held, because {now.suspended}. Once that is over, type `runbookd undo {now.id}`"


def _goes_back(step: StepNow) -> bool:
    return step.step.restores and step.changed


def _behind(step: StepNow, steps: list[StepNow]) -> Iterator[StepNow]:
    """All steps that come after one, however far."""
    for each in steps:
        if step.step.id in each.step.after:
            yield each
            yield from _behind(each, steps)


def _back_summary(now: ScenarioNow) -> str:
    said = []
    for state, words in ((RESTORED, "put back"), (LEFT, "left as it is"), (FAILED, "not put back")):
        named = [each.step.id for each in now.steps if each.back_state == state]
        if named:
            said.append(f"{words}: {', '.join(named)}")
    by = "" if now.back is None else f" ({now.back.said})"
    return ("; ".join(said) or "there was nothing to put back") + by


def _ended(now: ScenarioNow, state: str, reason: str) -> ScenarioNow:
    return replace(now, state=state, reason=reason)


# ---- What the person on call has to know ----


def _page(now: ScenarioNow, at: float, facts: Facts) -> str:
    if now.plan_only:
        return ""
    return page_at_end(now) or _too_long(now, at, facts)


def page_at_end(now: ScenarioNow) -> str:
    """What the person on call has to know of one that has ended, by what is stored of it; empty
    where that is nothing. It may not have been told when it ended."""
    return "" if now.plan_only else _refused(now) or _lost(now)


def _refused(now: ScenarioNow) -> str:
    """That nobody has decided on it, where its approval says that somebody is paged then."""
    terms, decided = now.scenario.approval, now.decided
    if now.state != REFUSED or terms is None or terms.otherwise != PAGE:
        return ""
    return f"was not begun: {decided.why}" if decided is not None and not decided.by_person else ""


def _lost(now: ScenarioNow) -> str:
    """What could not be put back, or was not done."""
    lost = [each for each in now.steps if each.back_state == FAILED]
    if lost:
        return f"could not put back {_told(lost[0], back=True)}"
    loud = [each for each in now.failed if each.step.on_failure in (STOP, UNDO, PAGES)]
    return f"did not do {_told(loud[0])}" if loud else ""


def _too_long(now: ScenarioNow, at: float, facts: Facts) -> str:
    """That it should have ended, and an alert keeps it from that."""
    if now.state != ACTIVE or not facts.asking or not _over(now, at):
        return ""
    rate = now.dollars
    costs = "" if rate is None else f", at ${rate / 730:,.2f} an hour"
    return f"is over its time{costs}, and {facts.asking} still asks for more"


def _told(step: StepNow, *, back: bool = False) -> str:
    return f"step {step.step.id}: {step.back_reason if back else step.reason}"


_OF_STATE: dict[str, Callable[[ScenarioNow, float, Facts], _Went]] = {
    PLANNING: _planning,
    WAITING: _waiting,
    UNSIGNED: _unsigned,
    RUNNING: _running,
    ACTIVE: _active,
    UNDOING: _undoing,
}
