"""Targets from YAML: what may be changed, within which bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from service.domain.capacity.sizing import kind_of_size, monthly_price
from service.domain.rules.rules import (
    AppTarget,
    DropletTarget,
    SupabaseTarget,
    Target,
    TargetKind,
)
from service.rulebook.bounds import MAX_LADDER, MIN_LADDER
from service.rulebook.document import Place
from service.rulebook.errors import suggestion
from service.rulebook.schema import (
    SHAPE_OF,
    AppShape,
    DropletShape,
    ReplicaBounds,
    SupabaseShape,
    TargetShape,
    read_shape,
)
from service.rulebook.substitution import Complain


def read_target(name: str, raw: Any, place: Place, complain: Complain) -> Target | None:
    """The target, or None when what is missing or wrong (and noted) leaves nothing to act on."""
    if not isinstance(raw, Mapping):
        complain(place, "a target is a mapping with a kind, an id and bounds.")
        return None
    kind = _kind(raw, place, complain)
    if kind is None:
        return None
    noted = _Noted(place, complain)
    read = read_shape(SHAPE_OF[kind], raw, place, noted)
    _check_ladder(kind, read.shape.sizes, "sizes" in read.wrong, place, noted)
    target = _built(name, read.shape, read.wrong, noted)
    return None if noted.any else target


class _Noted:
    """Passes complaints on and remembers that there were any."""

    __slots__ = ("_complain", "_place", "any")

    def __init__(self, place: Place, complain: Complain) -> None:
        self._place = place
        self._complain = complain
        self.any = False

    def __call__(self, place: Place, sentence: str) -> None:
        self.any = True
        self._complain(place, sentence)

    def at(self, key: str, sentence: str) -> None:
        """Note what is wrong with one of the target's own keys."""
        self((*self._place, key), sentence)

    def missing(self, key: str, why: str) -> None:
        """Note that the target lacks a key, such as `replicas` or `replicas.min`."""
        self((*self._place, *key.split(".")), f"{key} is missing: {why}.")


def _kind(raw: Mapping[str, Any], place: Place, complain: Complain) -> TargetKind | None:
    given = raw.get("kind")
    if given is None:
        complain(place, f"kind is missing: one of {', '.join(TargetKind)}.")
    elif given not in tuple(TargetKind):
        complain((*place, "kind"), f"unknown kind {given!r}; {suggestion(str(given), TargetKind)}")
    else:
        return TargetKind(given)
    return None


def _built(name: str, shape: TargetShape, wrong: frozenset[str], noted: _Noted) -> Target | None:
    match shape:
        case AppShape():
            return _app(name, shape, wrong, noted)
        case DropletShape(droplet=str(droplet)):
            return DropletTarget(name, droplet, tuple(shape.sizes or ()), shape.health_url)
        case SupabaseShape(project=str(project)):
            return SupabaseTarget(name, project, tuple(shape.sizes or ()))
        case DropletShape() if "droplet" not in wrong:
            noted.missing("droplet", "the droplet's id")
        case SupabaseShape() if "project" not in wrong:
            noted.missing("project", "the Supabase project's ref")
    return None


def _app(name: str, shape: AppShape, wrong: frozenset[str], noted: _Noted) -> AppTarget | None:
    if shape.app is None and "app" not in wrong:
        noted.missing("app", "the App Platform app's id")
    if shape.component is None and "component" not in wrong:
        noted.missing("component", "which component of the app")
    bounds = None if "replicas" in wrong else _bounds(shape.replicas, noted)
    if shape.app is None or shape.component is None or bounds is None:
        return None
    return AppTarget(
        name, shape.app, shape.component, *bounds, tuple(shape.sizes or ()), shape.health_url
    )


def _bounds(replicas: ReplicaBounds | None, noted: _Noted) -> tuple[int, int] | None:
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
    return replicas.min, replicas.max


def _check_ladder(
    kind: TargetKind, sizes: Sequence[str] | None, wrong: bool, place: Place, noted: _Noted
) -> None:
    if wrong:
        return
    if sizes is None:
        if kind is not TargetKind.APP_PLATFORM:
            noted.missing("sizes", "a target needs a ladder, at least two sizes, smallest first")
        return
    ladder = (*place, "sizes")
    if len(sizes) < MIN_LADDER:
        noted(ladder, f"sizes has {len(sizes) or 'no'} size; a ladder needs at least two.")
    if len(sizes) > MAX_LADDER:
        noted(ladder, f"sizes has {len(sizes)} sizes; a ladder has at most {MAX_LADDER}.")
    for size in dict.fromkeys(size for size in sizes if sizes.count(size) > 1):
        noted(ladder, f"sizes names {size} more than once.")
    for index, size in enumerate(sizes):
        known = kind_of_size(size)
        if known not in (None, kind):
            noted((*ladder, index), f"{size} is a size of {known}, and this target is a {kind}.")
    _check_order(kind, sizes, ladder, noted)


def _check_order(kind: TargetKind, sizes: Sequence[str], ladder: Place, noted: _Noted) -> None:
    priced = [
        (size, price)
        for size in dict.fromkeys(sizes)
        if (price := monthly_price(kind, size)) is not None
    ]
    for (lower, less), (higher, more) in pairwise(priced):
        if more <= less:
            noted(
                ladder,
                f"sizes must rise in price: {higher} (${more:g} a month) comes after "
                f"{lower} (${less:g}).",
            )
