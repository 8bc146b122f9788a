"""What really happened, seen from outside of the product: it keeps an account of its own.

The product's tables say what the product believes. A property that only read them would hold
where both the deed and its record are wrong. So what passes the last fence, what the vendors take,
what people set there, and what people put in force is noted here as it happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.decisions.approval import plan_hash
from service.domain.decisions.budget import Budget
from service.domain.decisions.controls import HOLD, LOCK, PAUSE, Control
from service.domain.decisions.decision import Check
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import APPROVE, LIMITED, Limit, Policy
from service.domain.decisions.requests import PERSON, RETURN, Request
from tests.fakes.clock import FakeClock

Values = Mapping[str, int | str]
_CENT = 0.01


@dataclass(slots=True)
class Look:
    """A look at a target: the place of its first read among all events, and what it would cost."""

    event: int
    dollars: float


@dataclass(slots=True)
class Began:
    """A run that was let through to its first write."""

    request: Request
    plan: Plan
    at: float
    ended: bool = False
    writes: int = 0


@dataclass(slots=True)
class Witness:
    """The account. `broken` are sentences, one for each promise that was not kept.

    `least` is the floor of each target that has one. `costs` is what each target costs as far as
    runbookd can know it: by its own last write, or by a later look.
    """

    clock: FakeClock
    policy: Policy
    least: Mapping[str, int]
    broken: list[str] = field(default_factory=list)
    began: dict[str, Began] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    ended_at: float = 0.0
    """When a person has last ended a pause, lock or hold."""
    costs: dict[str, Look] = field(default_factory=dict)
    set_by_people: dict[str, int] = field(default_factory=dict)
    """The place of what people have last set at the vendor, by target."""
    wanted_by_people: dict[str, Values] = field(default_factory=dict)
    """What a target was when a person last had it set, by the vendor or by runbookd."""
    planned: dict[str, int] = field(default_factory=dict)
    """The place of the look from which each run has planned."""
    count: int = 0

    def event(self) -> int:
        """The place of what happens now among all that happens."""
        self.count += 1
        return self.count

    # ---- What it is told ----

    def put(self, control: Control) -> None:
        """A person, or a limit, puts something in force."""
        self.controls[control.id] = control

    def lifted(self, ids: list[str], now: float) -> None:
        """A person ends it."""
        for each in ids:
            self.controls.pop(each, None)
        self.ended_at = now

    def person_set(self, target: str, values: Values) -> None:
        """A person has set something at the vendor, which then has these values."""
        self.set_by_people[target] = self.event()
        self.wanted_by_people[target] = values

    def saw(self, target: str, look: Look) -> None:
        """What a look has shown is on record; an older one tells nothing of a later write."""
        known = self.costs.get(target)
        if known is None or look.event > known.event:
            self.costs[target] = look

    def may_write(self, request: Request, plan: Plan, now: float) -> None:
        """A run has passed its last fence: what forbids it?"""
        if request.id in self.began:
            return
        self._nothing_in_force(request, now)
        self._within_limits(request, now)
        self._within_budget(request, plan)
        self._as_approved(request, plan)
        self.began[request.id] = Began(request, plan, now)

    def was_held(self, request: Request, check: Check) -> None:
        """A run is held at its last fence."""
        if request.undoes and check.guard == LIMITED:
            self._broke(f"run {request.id} takes back, and is held: {check.saw}")

    def tried_again(self, run_id: str, *, queued: bool) -> None:
        """A run ends and is to be tried again."""
        if not queued:
            self._broke(f"run {run_id} was to be tried again, and nothing was queued")

    def went_on(self, run_id: str, cancelled: str) -> None:
        """A run is tried again, or its alerts are to ask again."""
        if cancelled:
            self._broke(f"run {run_id} goes on although {cancelled}")

    def run_ended(self, run_id: str) -> None:
        """A run has its outcome."""
        if run_id in self.began:
            self.began[run_id].ended = True

    def wrote(
        self, target: str, run_id: str, before: Values, after: Values, dollars: float
    ) -> None:
        """A vendor has taken a write of a run, which made `after` of `before`."""
        began = self.began.get(run_id)
        if began is None:
            self._broke(f"run {run_id} wrote to {target} and had passed no fence")
            return
        began.writes += 1
        if began.writes > 1:
            self._broke(f"run {run_id} has written {began.writes} times to {target}")
        if began.request.origin.kind == PERSON:
            self.wanted_by_people[target] = after
        elif began.request.origin.kind == RETURN:
            self._leaves_people_theirs(target, run_id, after)
        self._over_nobody(target, run_id, before)
        self._undoes_only_its_own(began.request, before)
        self._above_the_floor(target, run_id, before, after)
        if abs((began.plan.price_after or 0.0) - dollars) > _CENT:
            self._broke(f"run {run_id} made {target} cost {dollars}, and planned another price")
        self.costs[target] = Look(self.event(), dollars)

    def takes_back(self, request: Request, asking: list[str]) -> None:
        """What alerts added is about to be taken away."""
        if asking:
            self._broke(f"run {request.id} takes back what {', '.join(asking)} still ask for")

    # ---- What must hold ----

    def _nothing_in_force(self, request: Request, now: float) -> None:
        """No pause, lock, hold or freeze window of the moment covers what begins."""
        by_person = request.origin.kind == PERSON
        change = request.subject_of_controls
        for each in self.controls.values():
            if each.until <= now or not each.covers(change):
                continue
            passed = (
                (each.kind == PAUSE and by_person and bool(request.override))
                or (each.kind == LOCK and by_person and each.by == request.origin.by)
                or (each.kind == HOLD and (by_person or not request.removes))
            )
            if not passed:
                self._broke(f"run {request.id} began under {each.kind} {each.id} of {each.scope}")
        for freeze in self.policy.freezes:
            if freeze.covers(change.target) and freeze.window.open_at(now) and not request.override:
                self._broke(f"run {request.id} began in a freeze window of {change.target}")

    def _within_limits(self, request: Request, now: float) -> None:
        """An undo counts, and is held by no limit."""
        if request.undoes:
            return
        for limit in self.policy.limits:
            counted = 1 + sum(_counts(limit, each, request, now) for each in self.began.values())
            if counted > limit.most:
                self._broke(
                    f"run {request.id} is change {counted} within {limit.per_s:g} s, and "
                    f"{limit.most} are allowed for each {limit.of}"
                )

    def _within_budget(self, request: Request, plan: Plan) -> None:
        """What it adds fits beside what all others cost or are about to cost."""
        budget, target = self.policy.budget, request.target.name
        before, after = plan.price_before, plan.price_after
        if budget is None or request.approved or after is None or after <= (before or 0.0):
            return
        own = budget.of(target)
        if own is not None and after > own + _CENT:
            self._broke(f"run {request.id} makes {target} cost {after}, and {own} are allowed")
        total = after + sum(self._cost(budget, each) for each in budget.targets if each != target)
        if budget.monthly is not None and total > budget.monthly + _CENT:
            self._broke(
                f"run {request.id} makes it {total} a month, and {budget.monthly} are allowed"
            )

    def _as_approved(self, request: Request, plan: Plan) -> None:
        """What a rule asks a person for is done as that person has read it, or not at all."""
        if request.policy.mode != APPROVE or request.origin.kind == PERSON:
            return
        if request.approved != plan_hash(request.target.name, plan):
            self._broke(f"run {request.id} makes {plan.after} of {plan.before}, unapproved")

    def _cost(self, budget: Budget, target: str) -> float:
        known = self.costs.get(target)
        coming = [
            each.plan.price_after or 0.0
            for each in self.began.values()
            if not each.ended and each.request.target.name == target
        ]
        return max([known.dollars if known is not None else 0.0, *coming])

    def _above_the_floor(self, target: str, run_id: str, before: Values, after: Values) -> None:
        """A count is never set below the floor. One that a person left there may stay."""
        least, count = self.least.get(target), after.get("replicas")
        if least is not None and count != before.get("replicas") and int(count or 0) < least:
            self._broke(f"run {run_id} made {count} replicas of {target}, whose floor is {least}")

    def _over_nobody(self, target: str, run_id: str, before: Values) -> None:
        """What a person has set since the run looked is not overwritten."""
        plan = self.began[run_id].plan
        was = plan.wanted.get("planned_from")
        expected = (
            {"size": plan.wanted["before"]}
            if was is None
            else {"replicas": was["instance_count"], "size": was["instance_size_slug"]}
        )
        if dict(before) != expected:
            self._broke(f"run {run_id} overwrote {before} of {target}, and had seen {expected}")
        # A deployment of a person's is seen even where it leaves the values as they were.
        if was is not None and self.set_by_people.get(target, 0) > self.planned.get(run_id, 0):
            self._broke(f"run {run_id} overwrote what a person had deployed to {target}")

    def _leaves_people_theirs(self, target: str, run_id: str, after: Values) -> None:
        """A return leaves at least as many as a person has last wanted."""
        wanted = self.wanted_by_people.get(target, {}).get("replicas", 0)
        if int(after.get("replicas", wanted)) < int(wanted):
            self._broke(f"run {run_id} took back what a person had set: {wanted} replicas")

    def _undoes_only_its_own(self, request: Request, before: Values) -> None:
        for each in request.expects:
            if each.attribute in before and before[each.attribute] != each.to:
                self._broke(
                    f"run {request.id} took back {before}, and run {request.parent} had made "
                    f"{each.attribute} {each.to}"
                )

    def _broke(self, sentence: str) -> None:
        self.broken.append(sentence)


def _counts(limit: Limit, made: Began, request: Request, now: float) -> bool:
    same = {
        "all": True,
        "target": made.request.target.name == request.target.name,
        "action": made.request.action == request.action,
    }
    return same[limit.of] and made.at > now - limit.per_s
