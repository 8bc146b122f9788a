"""By which literal value a rule is best filed, so that few rules share a place.

Matching and the search for shadowed rules both look rules up by value instead of trying each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from service.domain.rules.matchers import accepted_literals
from service.domain.rules.rules import Matcher

ALERTNAME = "alertname"
"""The label that names an alert."""

Key = tuple[str, frozenset[str]]
"""A label and the only values of it that a rule accepts."""


def literal_keys(matchers: Sequence[Matcher]) -> list[Key]:
    """The keys a rule could be filed under: one for each matcher that lists its values."""
    return [
        (matcher.label, literals)
        for matcher in matchers
        if (literals := accepted_literals(matcher)) is not None
    ]


def best_keys(rules: Sequence[Sequence[Matcher]]) -> Iterator[Key | None]:
    """For each rule the key that the fewest others share; None without a literal matcher."""
    options = [literal_keys(matchers) for matchers in rules]
    crowd = Counter((label, value) for keys in options for label, some in keys for value in some)
    for keys in options:
        yield min(keys, key=lambda key: _crowding(key, crowd), default=None)


def _crowding(key: Key, crowd: Counter[tuple[str, str]]) -> tuple[int, bool]:
    """How many rules share the key at worst; alertname wins a tie, which keeps labels few."""
    label, values = key
    return max(crowd[label, value] for value in values), label != ALERTNAME
