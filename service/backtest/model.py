"""The targets as a backtest pretends them: what each has, and what a run makes of it.

A kind in `MODELS` is planned by its own plan, so its bounds, its ladder and its prices count. Of
every other kind a run always finds something to do, and it succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from service.catalogue import app_platform, droplet, supabase, valkey
from service.catalogue.app_platform.spec import INSTANCE_COUNT, INSTANCE_SIZE
from service.catalogue.app_platform.target import AppTarget
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.droplet.plan import ON
from service.catalogue.prices import Kept
from service.catalogue.registry import action_spec, kind_spec
from service.catalogue.scale_cache import POLICY, SIZE, STANDBYS
from service.catalogue.spec import Change, Work
from service.catalogue.supabase.kind import SCALE_DATABASE
from service.catalogue.supabase.plan import HEALTHY
from service.catalogue.valkey.plan import ONLINE, POLICIES
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.present import State
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed
from service.domain.rules.rules import Target

_STEP = "change"
_HOURS = 730.0
"""Hours of a month, as DigitalOcean bills them."""
_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Model:
    """How a kind is pretended.

    `first` makes what its look shows, from what is known of the target: empty, or a state as runs
    tell it. `after` is the same once a plan is carried out. `actions` are those that are planned;
    None stands for all.
    """

    first: Callable[[Any, State], dict[str, Any]]
    after: Callable[[dict[str, Any], Plan], dict[str, Any]]
    actions: tuple[str, ...] | None = None


def _size(target: Target, known: State, name: str = "size") -> str:
    """The size that is known, else the smallest of the ladder."""
    return str(known.get(name) or next(iter(target.sizes), ""))


def _app(target: AppTarget, known: State) -> dict[str, Any]:
    return {
        "kind": "services",
        "components": [target.component],
        "replicas": int(known.get("replicas") or target.min_replicas),
        "size": _size(target, known),
        "autoscaling": None,
        "fields": {},
        "deploying": None,
        "pinned": None,
        "last_deployment": None,
    }


def _app_after(observed: dict[str, Any], plan: Plan) -> dict[str, Any]:
    made = dict(plan.wanted["after"])
    replicas = made.pop(INSTANCE_COUNT, observed["replicas"])
    size = made.pop(INSTANCE_SIZE, observed["size"])
    fields = {**observed["fields"], **made}
    return {**observed, "replicas": replicas, "size": size, "fields": fields}


def _droplet(target: Target, known: State) -> dict[str, Any]:
    size = _size(target, known)
    return {"locked": False, "status": ON, "size": size, "last_action": None, "disk_gb": 0}


def _project(target: Any, known: State) -> dict[str, Any]:
    size = _size(target, known, "compute")
    return {"status": HEALTHY, "variant": size, "project": target.project, "started_at": None}


def _cluster(target: Target, known: State) -> dict[str, Any]:
    return {
        "name": target.name,
        "engine": "valkey",
        SIZE: _size(target, known),
        STANDBYS: int(known.get(STANDBYS) or 0),
        POLICY: str(known.get(POLICY) or POLICIES[0]),
        "status": ONLINE,
        "own": False,
        "keys": 0,
        "expiring": 0,
        "used_bytes": 0,
        "why": "",
    }


MODELS: Mapping[str, Model] = {
    app_platform.KIND.name: Model(_app, _app_after),
    droplet.KIND.name: Model(_droplet, lambda seen, plan: {**seen, "size": plan.after}),
    supabase.KIND.name: Model(
        _project, lambda seen, plan: {**seen, "variant": plan.after}, (SCALE_DATABASE.name,)
    ),
    valkey.KIND.name: Model(_cluster, lambda seen, plan: {**seen, **plan.wanted["after"]}),
}
"""By kind. Of a kind that is not here a plan says nothing of bounds and of dollars."""


@dataclass(slots=True)
class _Pretended:
    """One target: what a look shows, what it costs, and what it has cost so far."""

    target: Target
    observed: dict[str, Any]
    since: float
    dollars: float = 0.0

    @property
    def monthly(self) -> float | None:
        """Dollars a month as it is now; None where nobody knows."""
        return kind_spec(self.target.kind).cost(self.observed)

    def spend_until(self, now: float) -> None:
        """Count what it has cost until now."""
        hours = max(0.0, now - self.since) / _HOUR_S
        self.dollars += (self.monthly or 0.0) * hours / _HOURS
        self.since = max(self.since, now)


@dataclass(slots=True)
class Targets:
    """All targets of a rule file from `start` on (seconds since the epoch).

    `known` is the state of each at that time, as far as it is on record. `kept` are the vendors'
    own lists of prices, by kind.
    """

    targets: Mapping[str, Target]
    known: Mapping[str, State]
    kept: Mapping[str, Kept]
    start: float
    assumed: list[str] = field(default_factory=list)
    """The targets whose state at the start is not on record."""
    simple: list[str] = field(default_factory=list)
    """The targets of kinds that have no model."""
    _pretended: dict[str, _Pretended] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, target in self.targets.items():
            model = MODELS.get(target.kind)
            if model is None:
                self.simple.append(name)
                continue
            known = self.known.get(name, {})
            if not known:
                self.assumed.append(name)
            observed = {**model.first(target, known), **self._prices(target.kind)}
            self._pretended[name] = _Pretended(target, observed, self.start)

    def _prices(self, kind: str) -> dict[str, Any]:
        kept = self.kept.get(kind)
        prices = kind_spec(kind).prices
        if kept is None:
            return {"sizes": {}, "source": prices.stand_in("no list of it is kept")}
        return {"sizes": kept.sizes, "source": prices.list_of(kept)}

    def observed(self, target: Target) -> dict[str, Any] | None:
        """What a look at it shows; None of a kind that has no model."""
        found = self._pretended.get(target.name)
        return None if found is None else dict(found.observed)

    def monthly(self, target: Target) -> float | None:
        """Dollars a month as it is now; None where nobody knows."""
        found = self._pretended.get(target.name)
        if found is not None:
            return found.monthly
        try:
            return kind_spec(target.kind).cost({})
        except KeyError:  # what it costs depends on what a look shows
            return None

    def carry_out(self, target: Target, plan: Plan, now: float) -> None:
        """A run has carried out its plan."""
        found = self._pretended.get(target.name)
        if found is not None and not _is_simple(plan):
            found.spend_until(now)
            found.observed = MODELS[target.kind].after(found.observed, plan)

    def dollars(self, until: float) -> dict[str, float]:
        """What each has cost from the start to `until`, where its price is known."""
        found: dict[str, float] = {}
        for name, each in self._pretended.items():
            each.spend_until(until)
            if each.monthly is not None and kind_spec(each.target.kind).is_sold:
                found[name] = round(each.dollars, 2)
        return found

    def work_of(self, target: Target) -> Work:
        """What can be done with it."""
        return _Work(self, target)

    def change_of(self, request: Request) -> Change:
        """How a request changes its target."""
        target, kind = request.target, kind_spec(request.target.kind)
        model = MODELS.get(target.kind)
        planned = model is not None and (model.actions is None or request.action in model.actions)
        if not planned:
            return Change(_plan_simply, _Simply())
        return Change(
            lambda asked, observed: _in_one_step(kind.plan(asked, observed)),
            self.work_of(target),
            kind.state,
            kind.values,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """A target of a kind that has a model."""

    targets: Targets
    target: Target

    def observe(self, target: Target) -> Record:
        """What it has. Raises StepFailed of a kind that has no model."""
        found = self.targets.observed(target)
        if found is None:
            raise StepFailed("observe", f"a backtest has no model of kind {target.kind}")
        return found

    def steps(self) -> Mapping[str, StepFunction]:
        """One step, which succeeds."""
        return {_STEP: self._change}

    def _change(
        self, context: StepContext, request: Request, plan: Plan, _records: Mapping[str, Record]
    ) -> Record:
        context.intent(_STEP)
        context.fence()
        self.targets.carry_out(request.target, plan, context.clock.time())
        return {"changed": plan.change}

    def make_safe(self, _context: StepContext, _plan: Plan) -> str:
        """It is as it was: nothing fails here after its write."""
        return f"{self.target.name} is as it was."


class _Simply:
    """What can be done with a target of a kind that has no model."""

    def observe(self, _target: Target) -> Record:
        """Nothing is known of it."""
        return {}

    def steps(self) -> Mapping[str, StepFunction]:
        """One step, which succeeds."""
        return {_STEP: self._change}

    def _change(
        self, context: StepContext, _request: Request, plan: Plan, _records: Mapping[str, Record]
    ) -> Record:
        context.intent(_STEP)
        context.fence()
        return {"changed": plan.change}

    def make_safe(self, _context: StepContext, _plan: Plan) -> str:
        """It is as it was."""
        return "It is as it was."


def _plan_simply(request: Request, _observed: Mapping[str, Any]) -> Plan | PlanHeld:
    asks = "each plan of it waits for a person" if action_spec(request.action).by_approval else ""
    return Plan(request.action, "asked", "done", steps=(_STEP,), wanted={}, asks=asks)


def _is_simple(plan: Plan) -> bool:
    return not plan.wanted


def _in_one_step(made: Plan | PlanHeld) -> Plan | PlanHeld:
    return replace(made, steps=(_STEP,)) if isinstance(made, Plan) else made
