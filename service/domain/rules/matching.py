"""Which rules an alert leads to: first match wins, unless a rule says `continue`.

An alert storm asks this for every alert, so the cost must not grow with the number of rules:
each rule is filed under the literal value that sets it apart best (usually its alertname), and
only the few rules filed under the alert's own values are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from service.domain.alerts.alert import Alert
from service.domain.decisions.policy import OFF
from service.domain.rules.literal_keys import ALERTNAME, Key, best_keys
from service.domain.rules.matchers import Predicate, predicate
from service.domain.rules.rules import Matcher, Rule, RuleBook


@dataclass(frozen=True, slots=True)
class MatcherTrace:
    """What one matcher saw; `seen` is empty when the alert has no such label."""

    matcher: Matcher
    seen: str
    matched: bool


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """How one rule judged an alert, matcher by matcher."""

    rule: Rule
    matchers: tuple[MatcherTrace, ...]

    @property
    def matched(self) -> bool:
        """Whether every matcher of the rule did."""
        return all(trace.matched for trace in self.matchers)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One rule at its place in the book, with its matchers ready to use."""

    position: int
    rule: Rule
    checks: tuple[tuple[str, Predicate], ...]


class RuleIndex:
    """A rule book prepared for matching; immutable once built, so threads may share it.

    A rule whose mode is off is left out of it.
    """

    __slots__ = ("_anywhere", "_entries", "_tables")

    def __init__(self, book: RuleBook) -> None:
        rules = [rule for rule in book.rules if rule.policy.mode != OFF]
        self._entries = tuple(_entry(place, rule) for place, rule in enumerate(rules))
        self._anywhere: list[_Entry] = []
        self._tables: dict[str, dict[str, list[_Entry]]] = {}
        keys = best_keys([rule.matchers for rule in rules])
        for entry, key in zip(self._entries, keys, strict=True):
            self._file(entry, key)

    def match(self, alert: Alert) -> tuple[Rule, ...]:
        """The rules the alert leads to, in the book's order; empty when none matches."""
        found: list[Rule] = []
        for entry in self._candidates(alert):
            if all(check(label_of(alert, label)) for label, check in entry.checks):
                found.append(entry.rule)
                if not entry.rule.continue_:
                    break
        return tuple(found)

    def explain(self, alert: Alert) -> tuple[RuleTrace, ...]:
        """Every rule consulted up to the one that ends the search, and what each saw."""
        traces: list[RuleTrace] = []
        for entry in self._entries:
            traces.append(trace := _trace(entry, alert))
            if trace.matched and not entry.rule.continue_:
                break
        return tuple(traces)

    def _file(self, entry: _Entry, key: Key | None) -> None:
        if key is None:
            self._anywhere.append(entry)
            return
        label, values = key
        table = self._tables.setdefault(label, {})
        for value in values:
            table.setdefault(value, []).append(entry)

    def _candidates(self, alert: Alert) -> list[_Entry]:
        lists = [self._anywhere] if self._anywhere else []
        for label, table in self._tables.items():
            filed = table.get(label_of(alert, label))
            if filed is not None:
                lists.append(filed)
        if len(lists) == 1:
            return lists[0]
        return sorted((entry for filed in lists for entry in filed), key=attrgetter("position"))


def label_of(alert: Alert, label: str) -> str:
    """The label's value as matchers see it: as it came, a missing one empty.

    A missing alertname is the alert's name (Grafana legacy has no labels of its own). So is that
    of an unmeasured alert: Grafana replaces the alertname when a rule has no data, and the rules
    for the alert itself are meant.
    """
    if label == ALERTNAME and not alert.measured:
        return alert.name
    value = alert.labels.get(label)
    if value is not None:
        return value
    return alert.name if label == ALERTNAME else ""


def _entry(position: int, rule: Rule) -> _Entry:
    checks = tuple((matcher.label, predicate(matcher)) for matcher in rule.matchers)
    return _Entry(position, rule, checks)


def _trace(entry: _Entry, alert: Alert) -> RuleTrace:
    seen = [label_of(alert, label) for label, _ in entry.checks]
    outcomes = zip(entry.rule.matchers, seen, entry.checks, strict=True)
    return RuleTrace(
        entry.rule,
        tuple(
            MatcherTrace(matcher, value, check(value)) for matcher, value, (_, check) in outcomes
        ),
    )
