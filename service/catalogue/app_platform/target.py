"""One component of an App Platform app: as a target, and as it is written in a rule file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from pydantic import Field

from service.catalogue.actions import MAX_STEP
from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Sizes, Text, Url
from service.catalogue.spec import Noted
from service.domain.levels.levels import Bounds
from service.domain.levels.resolve import Standing

NAME = "app_platform"

_DOCUMENTED: dict[str, float] = {
    "basic-xxs": 5.0,
    "basic-xs": 10.0,
    "basic-s": 20.0,
    "basic-m": 40.0,
    "professional-xs": 12.0,
    "professional-s": 25.0,
    "professional-m": 50.0,
    "professional-1l": 75.0,
    "professional-l": 150.0,
    "professional-xl": 300.0,
    "apps-s-1vcpu-0.5gb": 5.0,
    "apps-s-1vcpu-1gb-fixed": 10.0,
    "apps-s-1vcpu-1gb": 12.0,
    "apps-s-1vcpu-2gb": 25.0,
    "apps-s-2vcpu-4gb": 50.0,
    "apps-d-1vcpu-0.5gb": 29.0,
    "apps-d-1vcpu-1gb": 34.0,
    "apps-d-1vcpu-2gb": 39.0,
    "apps-d-1vcpu-4gb": 49.0,
    "apps-d-2vcpu-4gb": 78.0,
    "apps-d-2vcpu-8gb": 98.0,
    "apps-d-4vcpu-8gb": 156.0,
    "apps-d-4vcpu-16gb": 196.0,
    "apps-d-8vcpu-32gb": 392.0,
}
"""Dollars a month for one instance, as DigitalOcean documented them in November 2026. A run asks
for the vendor's own list; these stand in where it can't. The runbook's prices ($20, $40, $80 and
$160 for professional-xs to -l) are none of the vendor's."""
PRICES = PriceList(
    "DigitalOcean",
    _DOCUMENTED,
    documented_in="2026-11",
    note="prices.digitalocean.apps",
    whole=True,
    order_is_sure=False,
)

DEDICATED = (
    "professional-1l",
    "professional-l",
    "professional-xl",
    *(size for size in _DOCUMENTED if size.startswith("apps-d-")),
)
"""The sizes whose CPUs are their own, as documented. The vendor scales no others by itself."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|app-.+|.*\$.*")
"""The id of an app: DigitalOcean's are UUIDs, the sandbox's begin with `app-`. What holds a `$` has
been noted already."""


@dataclass(frozen=True, slots=True)
class AppTarget:
    """One component of a DigitalOcean App Platform app.

    `sizes` is its ladder of instance sizes, smallest first; empty when it never changes size.
    Alerts add up to `max_replicas`, or to the ceiling of a level. People go up to `limit`, which is
    the same as `max_replicas` where it is None.
    """

    name: str
    app: str
    component: str
    min_replicas: int
    max_replicas: int
    sizes: tuple[str, ...] = ()
    health_url: str | None = None
    limit: int | None = None
    service: str = ""

    @property
    def most_replicas(self) -> int:
        """How many instances anybody may ask for."""
        return self.max_replicas if self.limit is None else self.limit

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change; components share a spec."""
        return f"do-app:{self.app}"

    @property
    def bounds(self) -> str:
        """`2–10 instances`, and the two ends of the ladder where there is one."""
        most = f", at most {self.limit} by people" if self.limit is not None else ""
        count = f"{self.min_replicas}–{self.max_replicas} instances{most}"
        return f"{count}, {self.sizes[0]} … {self.sizes[-1]}" if self.sizes else count

    @property
    def console(self) -> str:
        """Its page in DigitalOcean's control panel."""
        return f"https://cloud.digitalocean.com/apps/{quote(self.app, safe='')}"


class ReplicaBounds(Shape):
    """How few and how many instances a component may have; `limit` is for people."""

    min: int | None = Field(default=None, ge=1, le=MAX_STEP)
    max: int | None = Field(default=None, ge=1, le=MAX_STEP)
    limit: int | None = Field(default=None, ge=1, le=MAX_STEP)


class AppShape(Shape):
    """A component in a rule file."""

    kind: str
    app: Text | None = None
    component: Text | None = None
    replicas: ReplicaBounds | None = None
    sizes: Sizes | None = None
    health_url: Url | None = None
    service: Text | None = None


def build_app(name: str, shape: AppShape, noted: Noted) -> AppTarget | None:
    """The target; None when something that it needs is missing."""
    if shape.app is None and "app" not in noted.wrong:
        noted.missing("app", "the App Platform app's id")
    if shape.app is not None and not _ID.fullmatch(shape.app):
        noted.doubt(
            "app",
            f"{shape.app} does not look like the id of an app, which is a UUID such as "
            "4f6c71e2-1e90-4762-9fee-6cc4a0a9f2cf. `doctl apps list` shows it.",
        )
    if shape.component is None and "component" not in noted.wrong:
        noted.missing("component", "which component of the app")
    bounds = None if "replicas" in noted.wrong else _bounds(shape.replicas, noted)
    if shape.app is None or shape.component is None or bounds is None:
        return None
    limit = None if shape.replicas is None else shape.replicas.limit
    sizes = tuple(shape.sizes or ())
    return AppTarget(
        *(name, shape.app, shape.component, *bounds, sizes),
        health_url=shape.health_url,
        limit=limit,
        service=shape.service or "",
    )


def doubts(target: AppTarget, action: str, options: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed for a target, and hardly meant."""
    if "step" not in options:
        return
    room = target.max_replicas - target.min_replicas
    if options["step"] > max(room, 1):
        yield (
            f"a step of {options['step']} is more than there is between {target.min_replicas} and "
            f"{target.max_replicas} instances: the first alert goes to the maximum at once."
        )


def errors(target: AppTarget, action: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Values of a rule that its target can never have by an alert."""
    count, size = options.get("replicas"), options.get("size")
    if count is not None and not target.min_replicas <= count <= target.max_replicas:
        yield (
            f"{action} wants replicas: {count}, and alerts keep {target.name} between "
            f"{target.min_replicas} and {target.max_replicas}. Ask for a count within these, or "
            "change replicas of the target."
        )
    if size is not None and size not in target.sizes:
        ladder = " → ".join(target.sizes) or "empty"
        yield (
            f"{action} wants size {size}, which is not on the ladder of {target.name}: {ladder}. "
            "Add it to sizes of the target, or name one of these."
        )


def held_by_levels(target: AppTarget) -> dict[str, Bounds]:
    """What a level can hold: a count, up to the limit that holds for everybody, and a size."""
    found = {"replicas": Bounds(target.min_replicas, target.most_replicas)}
    return {**found, "size": Bounds(values=target.sizes, ladder=True)} if target.sizes else found


def reaching(target: AppTarget, ceilings: Mapping[str, int]) -> AppTarget:
    """The target whose alerts go up to the ceiling of a level, and never above its limit."""
    most = ceilings.get("replicas")
    if most is None:
        return target
    return replace(target, max_replicas=min(most, target.most_replicas), limit=target.most_replicas)


def levels_as(
    name: str, holds: Standing, values: Mapping[str, int | str]
) -> Mapping[str, Standing]:
    """Where the vendor counts the instances itself, a floor and an aim are its min, and a ceiling
    its max."""
    if name != "replicas" or name in values or "max" not in values:
        return {name: holds}
    least = holds.least if holds.value is None else int(holds.value)
    return {"min": holds, "max": replace(holds, value=None, least=least)}


def _bounds(replicas: ReplicaBounds | None, noted: Noted) -> tuple[int, int] | None:
    if replicas is None:
        noted.missing("replicas", "a target needs bounds, such as {min: 2, max: 10}")
        return None
    if replicas.min is None:
        noted.missing("replicas.min", "a target needs both bounds")
    if replicas.max is None:
        noted.missing("replicas.max", "a target needs both bounds")
    if replicas.min is None or replicas.max is None:
        return None
    if replicas.min > replicas.max:
        noted.at("replicas", f"replicas.min {replicas.min} is above its max {replicas.max}.")
    if replicas.limit is not None and replicas.max > replicas.limit:
        noted.at(
            "replicas",
            f"replicas.max {replicas.max} is above its limit {replicas.limit}, which holds for "
            "everybody.",
        )
    return replicas.min, replicas.max
