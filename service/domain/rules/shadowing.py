"""Rules that can never be reached, because an earlier one takes everything they match.

Only what can be proved from the matchers is reported: a rule that is called shadowed really is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from service.domain.rules.literal_keys import Key, best_keys, literal_keys
from service.domain.rules.matchers import accepted_literals, predicate, refused_literals
from service.domain.rules.rules import Matcher, MatchOp

_ANYTHING = frozenset((".*", "(.*)", "(?:.*)", "(?s).*", "(?s:.*)"))
"""Patterns that accept every value, the empty one too."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What decides whether a rule is reached: its matchers, and whether it lets others follow."""

    matchers: tuple[Matcher, ...]
    continue_: bool = False


def find_shadowed(rules: Sequence[Reach]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) of places: the later rule is never reached because of the earlier."""
    filed = _Filed()
    for place, (rule, key) in enumerate(
        zip(rules, best_keys([rule.matchers for rule in rules]), strict=True)
    ):
        for earlier in filed.candidates(rule.matchers):
            if covers(rules[earlier].matchers, rule.matchers):
                yield place, earlier
                break
        if not rule.continue_:
            filed.add(place, key)


def covers(earlier: Iterable[Matcher], later: Sequence[Matcher]) -> bool:
    """Whether every alert that satisfies `later` is sure to satisfy `earlier`."""
    return all(_accepts_anything(matcher) or _implied(matcher, later) for matcher in earlier)


def _accepts_anything(matcher: Matcher) -> bool:
    return matcher.op is MatchOp.REGEX and matcher.value in _ANYTHING


def _implied(wanted: Matcher, given: Sequence[Matcher]) -> bool:
    return any(_implies(matcher, wanted) for matcher in given if matcher.label == wanted.label)


def _implies(given: Matcher, wanted: Matcher) -> bool:
    if given == wanted:
        return True
    literals = accepted_literals(given)
    if literals is not None:
        return all(map(predicate(wanted), literals))
    refused, unwanted = refused_literals(given), refused_literals(wanted)
    return refused is not None and unwanted is not None and unwanted <= refused


@dataclass(slots=True)
class _Filed:
    """Earlier rules, filed so that a book of a thousand rules is not compared pair by pair."""

    by_literal: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    others: list[int] = field(default_factory=list)

    def add(self, place: int, key: Key | None) -> None:
        """File a rule under each value of its key."""
        if key is None:
            self.others.append(place)
            return
        label, literals = key
        for literal in literals:
            self.by_literal.setdefault((label, literal), []).append(place)

    def candidates(self, matchers: Sequence[Matcher]) -> list[int]:
        """The rules that could cover one with these matchers, in order.

        Any one of a later rule's literals will do: a rule that covers it accepts them all.
        """
        found = list(self.others)
        for label, literals in literal_keys(matchers):
            found += self.by_literal.get((label, min(literals)), ())
        return sorted(set(found))
