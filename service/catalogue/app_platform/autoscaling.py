"""The vendor's own autoscaling of a component, and its health check: what is wanted of them.

Pure. Each attribute is one field of the component's spec. A field that is not set is 0, or empty
text, for people, in the ledger and in an undo; in the spec it is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from service.catalogue.actions import MAX_STEP
from service.catalogue.app_platform.spec import INSTANCE_COUNT, INSTANCE_SIZE, MIN_COUNT
from service.catalogue.app_platform.target import DEDICATED, PRICES, AppTarget
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect
from service.catalogue.steps.bounds import count_wanted
from service.domain.decisions.directions import SET
from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.requests import Wanted

Value = int | str | None

MIN, MAX = MIN_COUNT, "autoscaling.max_instance_count"
CPU = "autoscaling.metrics.cpu.percent"
RPS = "autoscaling.metrics.requests_per_second.per_instance"
PATH = "health_check.http_path"
FIELDS = {
    "min": MIN,
    "max": MAX,
    "cpu": CPU,
    "rps": RPS,
    "health_path": PATH,
    "health_delay": "health_check.initial_delay_seconds",
    "health_period": "health_check.period_seconds",
    "health_timeout": "health_check.timeout_seconds",
    "health_success": "health_check.success_threshold",
    "health_failure": "health_check.failure_threshold",
}
"""The attributes, and their fields in the spec of a component (DigitalOcean's API reference)."""
FIXED = "fixed"
"""How many instances there are once the vendor's autoscaling is switched off."""
BY_LOAD = ("min", "max", "cpu", "rps")
"""What autoscaling is. Without `max` there is none."""
ONLY_SERVICES = ("rps", *(name for name in FIELDS if name.startswith("health")))
"""What a worker has not: it takes no requests."""


class AutoscalingOptions(Shape):
    """From how many to how many instances, by which load, with which health check; or `fixed`
    instances, and no autoscaling.

    `cpu` is in percent of an instance's CPU, `rps` in requests a second for each instance. The
    health check's times are in seconds. The bounds are those of DigitalOcean's API reference.
    """

    min: int | None = Field(default=None, ge=1, le=MAX_STEP)
    max: int | None = Field(default=None, ge=1, le=MAX_STEP)
    cpu: int | None = Field(default=None, ge=1, le=100)
    rps: int | None = Field(default=None, ge=1, le=1_000_000)
    fixed: int | None = Field(default=None, ge=1, le=MAX_STEP)
    size: Text | None = None
    health_path: str | None = Field(
        default=None, pattern=r"^/[!-~]*$", description="a path that begins with /"
    )
    health_delay: int | None = Field(default=None, ge=0, le=3600)
    health_period: int | None = Field(default=None, ge=1, le=300)
    health_timeout: int | None = Field(default=None, ge=1, le=120)
    health_success: int | None = Field(default=None, ge=1, le=50)
    health_failure: int | None = Field(default=None, ge=1, le=50)


_ONE_OF_BOTH = "With fixed the vendor scales nothing any more, so give one or the other."


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


def _lacking(options: Mapping[str, Any]) -> str:
    low, high = options["min"], options["max"]
    if options[FIXED] is not None:
        beside = [name for name in BY_LOAD if options[name] is not None]
        return f"set_autoscaling has fixed beside {_and(beside)}. {_ONE_OF_BOTH}" if beside else ""
    if low is None or high is None:
        return (
            "set_autoscaling needs min and max, such as {min: 2, max: 10, cpu: 70}; or fixed, such "
            "as {fixed: 4}, which switches it off."
        )
    if low > high:
        return f"set_autoscaling has min {low} above its max {high}."
    if options["cpu"] is None and options["rps"] is None:
        return "set_autoscaling needs a load to follow: cpu, rps or both, such as {cpu: 70}."
    return ""


SET_AUTOSCALING = ActionSpec(
    "set_autoscaling",
    Effect.CHANGES,
    SET,
    wanted=lambda options: tuple(
        Wanted(name, to=value) for name, value in options.items() if value is not None
    ),
    options=AutoscalingOptions,
    sets=tuple(AutoscalingOptions.model_fields),
    lacking=_lacking,
    settles=lambda options: options[FIXED] is not None,
)
"""The vendor scales the component itself, between two counts (runbook, App Platform
Auto-Scaling); or it does not any more."""


def errors(target: AppTarget, options: Mapping[str, Any]) -> Iterator[str]:
    """What of a rule's options its target can never have by an alert."""
    low, high, fixed = options["min"], options["max"], options[FIXED]
    if fixed is not None and not target.min_replicas <= fixed <= target.max_replicas:
        yield (
            f"fixed {fixed} is not what alerts may ask for of {target.name}, which is "
            f"{target.min_replicas} to {target.max_replicas}."
        )
    if low is not None and low < target.min_replicas:
        yield f"min {low} is below the minimum of {target.name}, which is {target.min_replicas}."
    if high is not None and high > target.max_replicas:
        yield (
            f"max {high} is above what alerts may ask for of {target.name}, which is "
            f"{target.max_replicas}."
        )


@dataclass(frozen=True, slots=True)
class Scaled:
    """A component as a plan finds it: `state` has each field of its spec that can be changed."""

    target: AppTarget
    state: Mapping[str, Value]
    most: int

    @property
    def low(self) -> int:
        """The least number of instances that the vendor may run."""
        return int(self.state[MIN] or 0)

    @property
    def high(self) -> int:
        """The largest number of instances that the vendor may run."""
        return int(self.state[MAX] or 0)

    def moved(self, wanted: Wanted) -> Mapping[str, Value] | PlanHeld:
        """What a wish for instances makes of the vendor's bounds: one for at least so many moves
        the lower, one for more or fewer the upper."""
        if wanted.to is None:
            bounds = (max(self.low, self.target.min_replicas), self.most)
            high = count_wanted(self.target, wanted, self.high, bounds)
            return high if isinstance(high, PlanHeld) else {MAX: high}
        if not wanted.least:
            return self._not_ours(int(wanted.to))
        bounds = (self.target.min_replicas, self.most)
        low = count_wanted(self.target, wanted, self.low, bounds)
        return low if isinstance(low, PlanHeld) else {MIN: low, MAX: max(low, self.high)}

    def switched_off(
        self, wanted: Wanted, block: Mapping[str, Any]
    ) -> Mapping[str, Value] | PlanHeld:
        """A fixed count in the place of the vendor's autoscaling; `block` is that of the spec."""
        name, count = self.target.name, int(wanted.to or 0)
        if self.state[MAX] is None:
            return PlanHeld(
                "native_autoscaling",
                f"{name} is not scaled by the vendor, so there is nothing to switch off. Nothing "
                f"was changed. To have {count} instances, set replicas by set_capacity.",
            )
        if unknown := sorted(set(_paths(block)) - {FIELDS[each] for each in BY_LOAD}):
            return PlanHeld(
                "native_autoscaling",
                f"{name} is scaled by {_and(unknown)} too, which runbookd does not know, so an "
                "undo could not put it back. Nothing was changed. Switch it off at the vendor.",
                facts={"unknown": unknown},
            )
        made = count_wanted(self.target, wanted, 0, (self.target.min_replicas, self.most))
        off: dict[str, Value] = {FIELDS[each]: None for each in BY_LOAD}
        return made if isinstance(made, PlanHeld) else {**off, INSTANCE_COUNT: made}

    def uncounted(self) -> PlanHeld:
        """The hold of a wish that leaves nobody to decide how many instances there are."""
        return PlanHeld(
            "bounds",
            f"{self.target.name} needs a count where the vendor's autoscaling is switched off, and "
            "min and max where it is switched on. Nothing was changed.",
        )

    def _not_ours(self, count: int) -> PlanHeld:
        return PlanHeld(
            "native_autoscaling",
            f"{self.target.component} of app {self.target.app} is scaled by the vendor's own "
            f"autoscaling, from {self.low} to {self.high} instances, so its count is not ours to "
            f"set. Nothing was changed. To have {count}, set fixed by set_autoscaling, or min and "
            "max.",
            facts={"min": self.low, "max": self.high},
        )


def _paths(block: Mapping[str, Any], within: str = "autoscaling") -> Iterator[str]:
    """The path of each value of the autoscaling block."""
    for key, value in block.items():
        path = f"{within}.{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, path)
        else:
            yield path


def field_wanted(scaled: Scaled, wanted: Wanted) -> Mapping[str, Value] | PlanHeld:
    """What one attribute of FIELDS shall be."""
    if wanted.to is not None:
        return {FIELDS[wanted.attribute]: wanted.to or None}
    if scaled.state[MAX] is None:
        return PlanHeld(
            "native_autoscaling",
            f"{scaled.target.name} is not scaled by the vendor any more, so its {wanted.attribute} "
            "is not there to be moved. Nothing was changed.",
            by_person=True,
        )
    return scaled.moved(wanted)


def held_by_vendor(scaled: Scaled, kind: str, after: Mapping[str, Value]) -> PlanHeld | None:
    """Why a component cannot be as it is wanted, where the vendor scales it; sizes apart.

    What the plan leaves as it is may be anything: a person, or the vendor, has set it so.
    """
    target, least, most = scaled.target, scaled.target.min_replicas, scaled.most
    then = Scaled(target, {**scaled.state, **after}, most)
    too_few, too_many = MIN in after and then.low < least, MAX in after and then.high > most
    if too_few or too_many or not 1 <= then.low <= then.high:
        return PlanHeld(
            "bounds",
            f"{target.name} may run {least} to {most} replicas, and autoscaling from "
            f"{then.low} to {then.high} is wanted; nothing was changed. Name min and max "
            "within the bounds, or change them in the rules.",
            facts={"min": then.low, "max": then.high},
        )
    if scaled.state[MAX] is None and then.state[CPU] is None and then.state[RPS] is None:
        return PlanHeld(
            "bounds",
            f"{target.name} would be scaled by no load. Nothing was changed. Name cpu or rps.",
        )
    if kind == "workers" and any(after.get(FIELDS[name]) is not None for name in ONLY_SERVICES):
        return PlanHeld(
            "component",
            f"{target.component} of app {target.app} is a worker, which takes no requests: it can "
            "be scaled by cpu alone, and has no health check. Nothing was changed.",
        )
    return None


def is_dedicated(observed: Mapping[str, Any], size: Value) -> bool:
    """Whether the CPUs of a size are its own, by the vendor's list or else by its documents."""
    known = observed.get("sizes", {}).get(size)
    return size in DEDICATED if known is None else bool(known["dedicated"])


def offered(target: AppTarget, observed: Mapping[str, Any], size: Value) -> str | PlanHeld:
    """The first size of the ladder, from the present one on, whose CPUs are its own."""
    at = target.sizes.index(str(size)) if size in target.sizes else 0
    for larger in target.sizes[at:]:
        if is_dedicated(observed, larger):
            return larger
    sold = {
        name for name in (*DEDICATED, *observed.get("sizes", {})) if is_dedicated(observed, name)
    }
    priced = {name: PRICES.price(observed, name) for name in sold}
    dollars, first = min((price, name) for name, price in priced.items() if price is not None)
    return PlanHeld(
        "shared_size",
        f"{size} shares its CPUs, so the vendor cannot scale it by itself, and no larger size on "
        f"the ladder of {target.name} has its own. Nothing was changed. Add one to its sizes; "
        f"the cheapest is {first}, at ${dollars:g} a month for each instance.",
        facts={"size": size, "offered": first},
    )


def held_by_size(target: AppTarget, size: Value) -> PlanHeld:
    """The hold of a size that is named, and that the vendor does not scale by itself."""
    return PlanHeld(
        "shared_size",
        f"{size} shares its CPUs, so the vendor cannot scale {target.name} by itself with it. "
        "Nothing was changed. Name a size whose CPUs are its own.",
        facts={"size": size},
    )


def told(state: Mapping[str, Value]) -> str:
    """The vendor's autoscaling for people: `2–10, CPU 70 %, 500 rps`, or `off`."""
    if state[MAX] is None:
        return "off"
    cpu = f"CPU {state[CPU]} %" if state[CPU] is not None else ""
    rps = f"{state[RPS]} rps" if state[RPS] is not None else ""
    return ", ".join(filter(None, [f"{state[MIN]}–{state[MAX]}", cpu, rps]))


def health_told(state: Mapping[str, Value]) -> str:
    """The health check for people: `/health`, with what else is set of it."""
    more = [
        f"{name.removeprefix('health_')} {state[key]}"
        for name, key in FIELDS.items()
        if name.startswith("health_") and key != PATH and state[key] is not None
    ]
    return ", ".join([str(state[PATH] or "none"), *more])


def unset(name: str, value: Value) -> int | str:
    """A value for the ledger: 0, or empty text, where the field is not set."""
    if value is not None:
        return value
    return "" if name in ("size", "health_path") else 0


NAMES = {"replicas": INSTANCE_COUNT, "size": INSTANCE_SIZE, **FIELDS}
"""Every attribute of a component that a plan can change, with its field."""
