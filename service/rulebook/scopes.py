"""Scopes from YAML: which rules a sender's credential may earn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.catalogue.shapes import Shape
from service.domain.rules.rules import RESERVED_NAMES, Origin
from service.domain.rules.scopes import Scope
from service.rulebook.document import Place
from service.rulebook.errors import suggestion
from service.rulebook.schema import read_shape
from service.rulebook.substitution import Complain

_ALL = "all"
_WANTED = "write all, or a list of the rules' names"


class ScopeShape(Shape):
    """What one credential may do; `rules` is checked where it can be said what it should be."""

    rules: Any = None
    may_resolve: bool = True


@dataclass(frozen=True, slots=True)
class DeclaredScope:
    """A scope where it is written, and how to note what is wrong in its file."""

    origin: Origin
    scope: Scope
    place: Place
    complain: Complain


def read_scope(raw: Any, place: Place, origin: Origin, complain: Complain) -> DeclaredScope:
    """The scope as far as it can be read; what is wrong is noted, and then allows nothing."""
    if not isinstance(raw, Mapping):
        complain(place, "a scope is a mapping, such as {rules: all, may_resolve: true}.")
        raw = {"rules": []}
    shape = read_shape(ScopeShape, raw, place, complain).shape
    scope = Scope(_rules(shape.rules, raw, place, complain), shape.may_resolve)
    return DeclaredScope(origin, scope, place, complain)


def _rules(
    given: Any, raw: Mapping[str, Any], place: Place, complain: Complain
) -> frozenset[str] | None:
    if given == _ALL:
        return None
    if "rules" not in raw:
        complain(place, f"rules is missing: {_WANTED}.")
    elif not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        complain((*place, "rules"), f"rules cannot be {given!r}: {_WANTED}.")
    else:
        return frozenset(given)
    return frozenset()


def check_scopes(scopes: Mapping[str, DeclaredScope], rules: Sequence[str]) -> None:
    """Each rule that a scope names is there; the built-in ones may be named too."""
    known: Collection[str] = {*rules, *RESERVED_NAMES}
    for declared in scopes.values():
        for name in sorted(declared.scope.rules or ()):
            if name not in known:
                sentence = f"rules names unknown rule {name!r}; {suggestion(name, known)}"
                declared.complain((*declared.place, "rules"), sentence)
