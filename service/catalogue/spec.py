"""What there is to know of an action and of a kind of target: the forms of the catalogue's entries.

A run is: observe → plan → announce → each of the plan's steps → verified, or back to safety.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.prices import PriceList
from service.catalogue.shapes import NoOptions, Shape
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.present import State
from service.domain.decisions.requests import Request, Wanted
from service.domain.levels.levels import Bounds
from service.domain.levels.resolve import Standing
from service.domain.rules.rules import Target
from service.ports import Clock, HealthProbe
from service.ports.bucket import Buckets
from service.ports.notes import NoNotes, Notes


class Effect(StrEnum):
    """What an action does to the world. It decides what a rule needs, and the queue of its runs."""

    CHANGES = "changes"
    """Changes a target: needs one, a measured value, a cooldown and a claim."""
    CALLS = "calls"
    """Calls a person: is held by nothing, and its dedup_key makes a repeat harmless."""
    TELLS = "tells"
    """Tells people: needs a cooldown, and changes nothing."""
    NOTHING = "nothing"
    """Keeps the alert and shows it; no run follows."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What a rule may ask for (runbook, Alert Configuration).

    `direction` is which way the action moves its target; a cooldown belongs to (target, direction).
    `options` is the model of the rule's `with`, and `wanted` is what the target shall become by
    them. `climbs` is True where the target needs a ladder of sizes. `undoes` is whether what it did
    can be put back; where not, `domain/commands.py: NO_UNDO` says why.

    Where the options of a rule decide which way it goes, `directed` tells that from them, and
    `direction` is that of a person's request. `sets` are the attributes that a person gives values
    of, where the options have no defaults that name them. `lacking` is what is wrong with the
    options of a rule as a whole, as a sentence; empty where nothing is. `asks` is True where its
    run changes nothing itself and asks for a run that does: then the rule's mode and settle are
    that run's. `starts` is True where its run changes nothing itself and starts a scenario: then
    the rule's mode and approval are that scenario's. `settles` is whether it only says, with these
    options, what the target is meant to be: then nothing of it can be taken back in calm.
    `about_alerts` is True where there is nothing to be said without an alert, so that no job can
    ask for it. `by_approval` is True where each of its plans waits for a person, and is never done
    because nobody decided in time; the plans say why.
    """

    name: str
    effect: Effect
    direction: str
    wanted: Callable[[Mapping[str, Any]], tuple[Wanted, ...]] = lambda options: ()
    options: type[Shape] = NoOptions
    climbs: bool = False
    directed: Callable[[Mapping[str, Any]], str] | None = None
    sets: tuple[str, ...] = ()
    lacking: Callable[[Mapping[str, Any]], str] = lambda options: ""
    undoes: bool = True
    returns: bool = True
    asks: bool = False
    starts: bool = False
    settles: Callable[[Mapping[str, Any]], bool] = lambda options: False
    about_alerts: bool = False
    by_approval: bool = False

    @property
    def governed(self) -> bool:
        """Whether modes, approvals and freeze windows are about it: it changes a target, or has one
        changed."""
        return self.effect is Effect.CHANGES or self.asks or self.starts

    @property
    def chore(self) -> bool:
        """Whether a job may ask for it."""
        return not (self.about_alerts or self.asks or self.effect is Effect.NOTHING)

    def direction_of(self, options: Mapping[str, Any]) -> str:
        """Which way it goes with these options of a rule."""
        return self.direction if self.directed is None else self.directed(options)

    @property
    def absolute(self) -> bool:
        """Whether the rules alone say what the target shall become, so that nobody names a value
        or a step."""
        wanted = self.wanted(self.options().model_dump())
        return bool(wanted) and all(each.to is not None for each in wanted)


class Noted(Protocol):
    """Takes what is wrong with a target in a rule file."""

    @property
    def wrong(self) -> frozenset[str]:
        """The keys that hold the wrong kind of value; they have been noted already."""
        ...

    def at(self, key: str, sentence: str) -> None:
        """Note what is wrong with one key."""
        ...

    def missing(self, key: str, why: str) -> None:
        """Note that a key is missing, such as `replicas` or `replicas.min`."""
        ...

    def file(self, key: str, name: str, most: int) -> bytes | None:
        """The bytes of a file below the rule file's folder, at most `most`; None, with the reason
        noted, where it cannot be read."""
        ...

    def doubt(self, key: str, sentence: str) -> None:
        """Warn of what a key may hold and hardly means."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps of every kind use besides their vendor.

    `timings` are in seconds. `notes` keep what a vendor said. `buckets` are where what is taken out
    of another vendor may go; None where nothing can. `needed` tells the ids of what the
    rules name as targets; None where the rules cannot be read.
    """

    probe: HealthProbe
    clock: Clock
    timings: Timings = field(default_factory=Timings)
    notes: Notes = field(default_factory=NoNotes)
    needed: Callable[[], Collection[str] | None] = lambda: None
    buckets: Buckets | None = None


@runtime_checkable
class LooksForRequest(Protocol):
    """Work whose look depends on what is asked for, such as a table that the options name."""

    def observe_for(self, request: Request) -> Record:
        """As `Work.observe`, for one request."""
        ...


class Work(Protocol):
    """What can be done with a target of one kind, over its port."""

    def observe(self, target: Any) -> Record:
        """Look at the target; reads only, plain JSON. Raises VendorError."""
        ...

    def steps(self) -> Mapping[str, StepFunction]:
        """The step functions by the names that plans use. A step that verifies comes last."""
        ...

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """After a failure: bring the target to a safe state without taking capacity away.

        Returns one sentence that says in which state the target was left. Must not raise
        anything but FencedOut: what it cannot do or see goes into the sentence.
        """
        ...


PlanFunction = Callable[[Request, Mapping[str, Any]], Plan | PlanHeld]
"""Decides, purely, from what the kind's `observe` has shown."""


StateFunction = Callable[[Mapping[str, Any]], State]
"""What of an observation a person calls the target's state, by the names that plans use as `what`;
and its status, where that is not the usual one."""


CostFunction = Callable[[Mapping[str, Any]], float | None]
"""What a target costs as an observation shows it, in dollars a month; None where that is not
known."""


def _no_cost(_observed: Mapping[str, Any]) -> float | None:
    """Of a kind that does not say: a budget that counts it asks a person."""
    return None


ValuesFunction = Callable[[Mapping[str, Any]], Mapping[str, int | str]]
"""What of an observation a plan can change, by the names of `KindSpec.changed`."""


LoadFunction = Callable[[Any, Any, str], float | None]
"""The vendor's own reading of a target's load, in percent, by the name of the attribute that would
be smaller; it gets the kind's work and the target. None where the vendor has none."""


def _no_load(_work: Any, _target: Any, _attribute: str) -> float | None:
    """Of a kind whose vendor shows no load."""
    return None


LevelsAsFunction = Callable[[str, Standing, Mapping[str, int | str]], Mapping[str, Standing]]
"""What has to hold for which values of a target so that a level does."""


def _as_it_is(
    name: str, holds: Standing, _values: Mapping[str, int | str]
) -> Mapping[str, Standing]:
    """Of a kind whose values are what levels name."""
    return {name: holds}


ReachingFunction = Callable[[Any, Mapping[str, int]], Any]
"""A target as far as alerts may go, by the ceilings of its levels."""


def _as_far_as_before(target: Any, _ceilings: Mapping[str, int]) -> Any:
    """Of a kind whose bounds are the same for alerts and for levels."""
    return target


def _no_values(_observed: Mapping[str, Any]) -> Mapping[str, int | str]:
    """Of a kind that does not say: a person's change at the vendor is not seen."""
    return {}


def _no_state(_observed: Mapping[str, Any]) -> State:
    """Of a kind that does not say: only its plans tell the state."""
    return {}


@dataclass(frozen=True, slots=True)
class Change:
    """How a kind of target is changed: its plan, its work over its port, its state, and what of it
    a plan can change."""

    plan: PlanFunction
    work: Work
    state: StateFunction = _no_state
    values: ValuesFunction = _no_values

    def observe(self, request: Request) -> Record:
        """Look at the target of a request. Raises VendorError."""
        if isinstance(self.work, LooksForRequest):
            return self.work.observe_for(request)
        return self.work.observe(request.target)


def size_changed(plan: Plan) -> Mapping[str, tuple[Any, Any]]:
    """What a plan changes of a kind that has a size and nothing else: before, after."""
    return {"size": (plan.before, plan.after)}


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a step leaves at the vendor, and that is billed until it is removed.

    `step` is the step whose record names it. `remove` gets the kind's work, the request and that
    record. It raises VendorError, and does nothing where the thing is gone already.
    """

    step: str
    remove: Callable[[Any, Request, Record], None]


NO_SIZES = r"(?!)"
"""What no name of a size matches."""


@dataclass(frozen=True, slots=True)
class KindSpec:
    """A kind of vendor resource that can be changed.

    `stand_in` is the folder of its vendor in the sandbox, and the first part of its paths there; it
    is empty where nothing stands in, because the real part runs anywhere.
    `target` is the frozen dataclass of a target, `shape` the model of its YAML, and `build` makes
    the one of the other; it returns None when something is missing, and notes that. `actions` are
    those that can change it. `plan` decides on any of them, and `work` makes the steps over the
    kind's port. `look` tries each read that a run makes, and tells in one sentence
    what it saw. `state` picks the state out of what `observe` has shown. `changed` maps each
    attribute that a plan changes to its values before and after. `cost` tells what a target costs,
    from what `observe` has shown. `prices` are what its sizes cost.
    `size_form` is a regular expression that the names of all sizes of this kind match; without
    one, it has no sizes. `sizes_optional` is True where a target makes sense without a ladder.
    `leftover` is what a verified change leaves at the vendor, None where that is nothing.
    `values` picks out of what `observe` has shown what a plan can change, by the names of
    `changed`. `load` asks the vendor how busy a target is. `interrupts` is whether a change takes
    the target down, so that no return begins it unasked. `apart` is whether an undo puts each
    attribute back by itself and leaves those that a person has changed; else it is all or none.
    `counts` are how few and how many instances a target may have by alerts, None where it is always
    one.

    For `check`, and for nothing else: `manages` is what a target stands for at the vendor, so that
    no two targets stand for the same. `doubts` are sentences about an action on a target that is
    allowed and hardly meant; it gets the target, the action's name and its options.
    `refuses` gets the same, and its sentences are about what can never be done: options that cannot
    be used together or on this target. People's requests are held against it too. `choices` are the
    values that a person may ask of an attribute besides the sizes of the ladder; it gets the target
    and the attribute's name. `levels` are the attributes that a level can hold, with their bounds.

    `levels_as` gets such an attribute, what holds for it, and the values that a look has shown. It
    tells what has to hold for which of these values: another one where the vendor counts itself.
    `reaching` gets the target and the ceilings of levels, by the names of the attributes. It is the
    target with these in the place of what bounds alerts.
    """

    name: str
    stand_in: str
    target: type[Any]
    shape: type[Shape]
    build: Callable[[str, Any, Noted], Target | None]
    actions: tuple[ActionSpec, ...]
    plan: PlanFunction
    work: Callable[[Any, Tools], Work]
    look: Callable[[Any, Any], str]
    prices: PriceList
    size_form: str = NO_SIZES
    state: StateFunction = _no_state
    sizes_optional: bool = False
    manages: Callable[[Any], str] = lambda target: str(target.resource)
    leftover: Leftover | None = None
    changed: Callable[[Plan], Mapping[str, tuple[Any, Any]]] = size_changed
    cost: CostFunction = _no_cost
    doubts: Callable[[Any, str, Mapping[str, Any]], Iterable[str]] = lambda *_: ()
    refuses: Callable[[Any, str, Mapping[str, Any]], Iterable[str]] = lambda *_: ()
    choices: Callable[[Any, str], tuple[str, ...]] = lambda *_: ()
    levels: Callable[[Any], Mapping[str, Bounds]] = lambda _: {}
    levels_as: LevelsAsFunction = _as_it_is
    reaching: ReachingFunction = _as_far_as_before
    values: ValuesFunction = _no_values
    load: LoadFunction = _no_load
    interrupts: bool = True
    apart: bool = False
    counts: Callable[[Any], tuple[int, int] | None] = lambda _: None

    @property
    def needs_sizes(self) -> bool:
        """Whether a target makes no sense without a ladder."""
        return self.size_form != NO_SIZES and not self.sizes_optional

    @property
    def has_prices(self) -> bool:
        """Whether it can tell what a target costs, so that a budget can count it."""
        return self.cost is not _no_cost

    @property
    def is_sold(self) -> bool:
        """Whether its sizes cost something. A kind that a budget counts as free has no prices."""
        return bool(self.prices.documented)
