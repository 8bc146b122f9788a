"""Targets from YAML: what may be changed, within which bounds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from service.catalogue.registry import KINDS, kind_of_size, kind_spec
from service.catalogue.spec import KindSpec
from service.domain.rules.rules import Target
from service.rulebook.bounds import MAX_LADDER, MIN_LADDER
from service.rulebook.document import Place
from service.rulebook.errors import MISSPELT, suggestion
from service.rulebook.schema import read_shape
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
    read = read_shape(kind.shape, raw, place, noted)
    noted.wrong = read.wrong
    if "sizes" in kind.shape.model_fields and "sizes" not in read.wrong:
        _check_ladder(kind, raw.get("sizes"), place, noted)
    target = kind.build(name, read.shape, noted)
    return None if noted.any else target


class _Noted:
    """Passes complaints on and remembers that there were any; `wrong` are the keys left out."""

    __slots__ = ("_complain", "_place", "any", "wrong")

    def __init__(self, place: Place, complain: Complain) -> None:
        self._place = place
        self._complain = complain
        self.any = False
        self.wrong: frozenset[str] = frozenset()

    def __call__(self, place: Place, sentence: str) -> None:
        self.any = True
        self._complain(place, sentence)

    def at(self, key: str, sentence: str) -> None:
        """Note what is wrong with one of the target's own keys."""
        self((*self._place, key), sentence)

    def warn(self, place: Place, sentence: str) -> None:
        self._complain.warn(place, sentence)

    def doubt(self, key: str, sentence: str) -> None:
        """Warn of what one of the target's own keys may hold and hardly means."""
        self.warn((*self._place, key), sentence)

    def missing(self, key: str, why: str) -> None:
        """Note that the target lacks a key, such as `replicas` or `replicas.min`."""
        self((*self._place, *key.split(".")), f"{key} is missing: {why}.")


def _kind(raw: Mapping[str, Any], place: Place, complain: Complain) -> KindSpec | None:
    given = raw.get("kind")
    known = [kind.name for kind in KINDS]
    if given is None:
        complain(place, f"kind is missing: one of {', '.join(known)}.")
    elif given not in known:
        complain((*place, "kind"), f"unknown kind {given!r}; {suggestion(str(given), known)}")
    else:
        return kind_spec(given)
    return None


def _check_ladder(kind: KindSpec, sizes: Sequence[str] | None, place: Place, noted: _Noted) -> None:
    if sizes is None:
        if kind.needs_sizes:
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
        if known not in (None, kind.name):
            noted(
                (*ladder, index), f"{size} is a size of {known}, and this target is a {kind.name}."
            )
        elif known is None and (doubt := _doubt(kind, size)):
            noted.warn((*ladder, index), doubt)
    _check_order(kind.prices, sizes, ladder, noted)


def _doubt(kind: KindSpec, size: str) -> str:
    """Why a size that is not listed is hardly meant; empty for one that may simply be new."""
    if "${" in size:
        return ""  # it could not be put in, and that has been noted
    # A size that differs in a number is another size, and may be a new one.
    alike = [known for known in kind.prices if _numbers(known) == _numbers(size)]
    close = difflib.get_close_matches(size, alike, n=1, cutoff=MISSPELT)
    if close:
        return f"{size} is no known size; did you mean {close[0]}? A wrong name holds every run."
    if re.fullmatch(kind.size_form, size):
        return ""
    known = ", ".join(list(kind.prices)[:3])
    return f"{size} does not look like a size of {kind.name}, such as {known}."


def _numbers(size: str) -> list[str]:
    return re.findall(r"[0-9]+", size)


def _check_order(
    prices: Mapping[str, float], sizes: Sequence[str], ladder: Place, noted: _Noted
) -> None:
    priced = [(size, prices[size]) for size in dict.fromkeys(sizes) if size in prices]
    for (lower, less), (higher, more) in pairwise(priced):
        if more <= less:
            noted(
                ladder,
                f"sizes must rise in price: {higher} (${more:g} a month) comes after "
                f"{lower} (${less:g}).",
            )
