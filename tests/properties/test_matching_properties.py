from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from service.domain.alerts.alert import Alert, AlertStatus
from service.domain.rules.matchers import parse_matcher, predicate
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Matcher, MatchOp, Rule, RuleBook
from service.domain.rules.shadowing import Reach, find_shadowed

LABELS = ("alertname", "severity", "team")
VALUES = ("", "a", "b", "ab", "a.b", "a|b")
PATTERNS = ("a", "a|b", "a|", "(a|b)", "(?:ab|b)", r"a\.b", "a.b", "a.*", ".*", ".+", "[ab]+", "")

regex_ops = st.sampled_from((MatchOp.REGEX, MatchOp.NOT_REGEX))
plain_ops = st.sampled_from((MatchOp.EQUAL, MatchOp.NOT_EQUAL))
matchers = st.one_of(
    st.builds(Matcher, st.sampled_from(LABELS), plain_ops, st.sampled_from(VALUES)),
    st.builds(Matcher, st.sampled_from(LABELS), regex_ops, st.sampled_from(PATTERNS)),
)
bodies = st.tuples(st.lists(matchers, min_size=1, max_size=3), st.booleans())
books = st.lists(bodies, max_size=12).map(
    lambda drawn: RuleBook(
        tuple(
            Rule(f"r{at}", tuple(some), "investigate", continue_=goes_on)
            for at, (some, goes_on) in enumerate(drawn)
        ),
        {},
        "0" * 12,
    )
)
pieces = st.sampled_from(("a", "b", "é", ".", "[ab]", "[^a]", r"\.", r"\d", r"\w", r"\s", ""))
simple_patterns = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, st.sampled_from(("", "*", "+", "?", "{2}", "{0,2}"))).map(
            lambda drawn: f"(?:{drawn[0]}){drawn[1]}"
        ),
    ),
    max_leaves=5,
)
alerts = st.builds(
    Alert,
    source=st.just("s"),
    fingerprint=st.just("f"),
    status=st.just(AlertStatus.FIRING),
    name=st.sampled_from(VALUES),
    labels=st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES)),
)


def holds(matcher: Matcher, alert: Alert) -> bool:
    """Alertmanager's definition, written down once more without any shortcut."""
    missing = alert.name if matcher.label == "alertname" else ""
    value = alert.labels.get(matcher.label, missing)
    match matcher.op:
        case MatchOp.EQUAL:
            return value == matcher.value
        case MatchOp.NOT_EQUAL:
            return value != matcher.value
        case MatchOp.REGEX:
            return re.fullmatch(matcher.value, value) is not None
        case MatchOp.NOT_REGEX:
            return re.fullmatch(matcher.value, value) is None


def walk(book: RuleBook, alert: Alert) -> tuple[Rule, ...]:
    """Every rule from top to bottom."""
    found: list[Rule] = []
    for rule in book.rules:
        if all(holds(matcher, alert) for matcher in rule.matchers):
            found.append(rule)
            if not rule.continue_:
                break
    return tuple(found)


@given(books, alerts)
def test_the_index_finds_what_a_walk_over_all_rules_finds(book: RuleBook, alert: Alert) -> None:
    assert RuleIndex(book).match(alert) == walk(book, alert)


@given(books, alerts)
def test_an_explanation_never_contradicts_the_match(book: RuleBook, alert: Alert) -> None:
    index = RuleIndex(book)
    told = tuple(trace.rule for trace in index.explain(alert) if trace.matched)
    assert told == index.match(alert)


@given(books, alerts)
def test_a_rule_called_shadowed_is_never_reached(book: RuleBook, alert: Alert) -> None:
    reaches = [Reach(rule.matchers, rule.continue_) for rule in book.rules]
    shadowed = {book.rules[later].name for later, _ in find_shadowed(reaches)}
    assert shadowed.isdisjoint(rule.name for rule in walk(book, alert))


@given(
    st.text(min_size=1).filter(str.strip),
    st.sampled_from((MatchOp.EQUAL, MatchOp.NOT_EQUAL)),
    st.text(),
)
def test_any_label_and_value_survive_being_printed_and_read(
    label: str, op: MatchOp, value: str
) -> None:
    matcher = Matcher(label, op, value)
    assert parse_matcher(str(matcher)) == matcher


@given(simple_patterns, st.text(alphabet="abé.1 \n", max_size=8))
def test_re2_and_pythons_engine_agree_on_simple_patterns(pattern: str, value: str) -> None:
    accepts = predicate(Matcher("foo", MatchOp.REGEX, pattern))
    assert accepts(value) is (re.fullmatch(pattern, value, re.ASCII) is not None)
