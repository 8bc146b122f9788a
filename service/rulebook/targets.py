"""Targets from YAML: what may be changed, within which bounds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.catalogue.prices import Kept, Sizes
from service.catalogue.registry import KINDS, kind_of_size, kind_spec
from service.catalogue.spec import KindSpec
from service.domain.rules.rules import Target
from service.rulebook.beside import NotBeside, read_beside
from service.rulebook.bounds import MAX_LADDER, MIN_LADDER
from service.rulebook.document import Place
from service.rulebook.errors import MISSPELT, suggestion
from service.rulebook.schema import read_shape
from service.rulebook.substitution import Complain

Beside = Callable[[Path, str, int], bytes]
"""Reads a file that a target names: the rule file's folder, its name, the most bytes. As
`service.rulebook.beside.read_beside`."""


def read_target(
    name: str,
    raw: Any,
    place: Place,
    complain: Complain,
    kept: Mapping[str, Kept] = MappingProxyType({}),
    folder: Path = Path(),
    beside: Beside = read_beside,
) -> Target | None:
    """The target, or None when what is missing or wrong (and noted) leaves nothing to act on.

    `kept` are the vendors' own lists of sizes, by kind, as far as they are known. `folder` is that
    of the rule file; files that a target names are below it, and `beside` reads one of them.
    """
    if not isinstance(raw, Mapping):
        complain(place, "a target is a mapping with a kind, an id and bounds.")
        return None
    kind = _kind(raw, place, complain)
    if kind is None:
        return None
    noted = _Noted(place, complain, partial(beside, folder))
    read = read_shape(kind.shape, raw, place, noted)
    noted.wrong = read.wrong
    if "sizes" in kind.shape.model_fields and "sizes" not in read.wrong:
        _check_ladder(_Sold(kind, kept.get(kind.name)), raw.get("sizes"), place, noted)
    if "choices" in kind.shape.model_fields and not read.wrong & {"sizes", "choices"}:
        _check_choices(_Sold(kind, kept.get(kind.name)), raw, place, noted)
    target = kind.build(name, read.shape, noted)
    return None if noted.any else target


class _Noted:
    """Passes complaints on and remembers that there were any; `wrong` are the keys left out."""

    __slots__ = ("_beside", "_complain", "_place", "any", "wrong")

    def __init__(
        self, place: Place, complain: Complain, beside: Callable[[str, int], bytes]
    ) -> None:
        self._place = place
        self._beside = beside
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

    def file(self, key: str, name: str, most: int) -> bytes | None:
        """The bytes of a file below the rule file's folder; None, with the reason noted."""
        try:
            return self._beside(name, most)
        except NotBeside as problem:
            self.at(key, str(problem))
            return None

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


@dataclass(frozen=True, slots=True)
class _Sold:
    """What is known of the sizes of a kind: `kept` is the vendor's own list, where it is known."""

    kind: KindSpec
    kept: Kept | None

    def __contains__(self, size: str) -> bool:
        return size in self.kind.prices.documented or size in self.own

    @property
    def own(self) -> Sizes:
        """The vendor's own list; empty where it is not known."""
        return self.kept.sizes if self.kept is not None else {}

    @property
    def prices(self) -> dict[str, float]:
        """Dollars a month, the vendor's own first."""
        own = {size: float(each["price_monthly"]) for size, each in self.own.items()}
        return {**self.kind.prices.documented, **own}

    def unlisted(self, size: str) -> str:
        """That a size is on no list; empty where no list is whole."""
        prices = self.kind.prices
        if self.kept is not None:
            lists = f"{prices.list_of(self.kept)}, nor among its documented sizes"
            return f"{size} is not on {lists}. A size that is not sold holds every run."
        if prices.whole:
            return (
                f"{size} is not among {prices.seller}'s documented sizes of "
                f"{prices.documented_in}, and no run has asked for its own list yet. A size that "
                "is not sold holds every run."
            )
        return ""


def _check_ladder(sold: _Sold, sizes: Sequence[str] | None, place: Place, noted: _Noted) -> None:
    kind = sold.kind
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
    _check_names(sold, sizes, ladder, noted)
    _check_order(sold, sizes, ladder, noted)


def _check_choices(sold: _Sold, raw: Mapping[str, Any], place: Place, noted: _Noted) -> None:
    """What people may choose beside the ladder: sizes of this kind, which are not on it."""
    choices: Sequence[str] = raw.get("choices") or ()
    listed = (*place, "choices")
    for size in dict.fromkeys(choices):
        if choices.count(size) > 1:
            noted(listed, f"choices names {size} more than once.")
        if size in (raw.get("sizes") or ()):
            noted(listed, f"choices names {size}, which is on the ladder already.")
    _check_names(sold, choices, listed, noted)


def _check_names(sold: _Sold, sizes: Sequence[str], listed: Place, noted: _Noted) -> None:
    for index, size in enumerate(sizes):
        known = kind_of_size(size)
        if known not in (None, sold.kind.name):
            noted(
                (*listed, index),
                f"{size} is a size of {known}, and this target is a {sold.kind.name}.",
            )
        elif size not in sold and (doubt := _doubt(sold, size)):
            noted.warn((*listed, index), doubt)


def _doubt(sold: _Sold, size: str) -> str:
    """Why a size that is not listed is hardly meant; empty for one that may simply be new."""
    kind, listed = sold.kind, list(sold.prices)
    if "${" in size:
        return ""  # it could not be put in, and that has been noted
    # A size that differs in a number is another size, and may be a new one.
    alike = [known for known in listed if _numbers(known) == _numbers(size)]
    close = difflib.get_close_matches(size, alike, n=1, cutoff=MISSPELT)
    if close:
        return f"{size} is no known size; did you mean {close[0]}? A wrong name holds every run."
    if re.fullmatch(kind.size_form, size):
        return sold.unlisted(size)
    known = ", ".join(listed[:3])
    return f"{size} does not look like a size of {kind.name}, such as {known}."


def _numbers(size: str) -> list[str]:
    return re.findall(r"[0-9]+", size)


def _check_order(sold: _Sold, sizes: Sequence[str], ladder: Place, noted: _Noted) -> None:
    """A ladder rises in price. What only a list of today shows is no error: the file was valid."""
    prices = sold.kind.prices
    falls = list(_falls(prices.documented, sizes)) if prices.order_is_sure else []
    for fall in falls:
        noted(ladder, f"sizes must rise in price: {fall}.")
    if not falls:
        by = f"by {prices.list_of(sold.kept)}" if sold.kept is not None else "as documented"
        for fall in _falls(sold.prices, sizes):
            noted.warn(ladder, f"sizes should rise in price: {fall}, {by}.")


def _falls(prices: Mapping[str, float], sizes: Sequence[str]) -> Iterator[str]:
    """Each place where a ladder does not rise in price."""
    priced = [(size, prices[size]) for size in dict.fromkeys(sizes) if size in prices]
    for (lower, less), (higher, more) in pairwise(priced):
        if more <= less:
            yield f"{higher} (${more:g} a month) comes after {lower} (${less:g})"
