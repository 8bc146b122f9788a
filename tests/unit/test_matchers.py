from __future__ import annotations

import time

import pytest

from service.domain.matchers import (
    MatcherError,
    checked,
    parse_matcher,
    parse_matchers,
    predicate,
)
from service.domain.rules import Matcher, MatchOp

READ = [
    ('foo="bar"', Matcher("foo", MatchOp.EQUAL, "bar")),
    ("foo=bar", Matcher("foo", MatchOp.EQUAL, "bar")),
    ("foo!=bar", Matcher("foo", MatchOp.NOT_EQUAL, "bar")),
    ('foo=~"a|b"', Matcher("foo", MatchOp.REGEX, "a|b")),
    ("foo!~a.*", Matcher("foo", MatchOp.NOT_REGEX, "a.*")),
    ('  foo  =  "bar"  ', Matcher("foo", MatchOp.EQUAL, "bar")),
    ("alertname=High CPU Usage", Matcher("alertname", MatchOp.EQUAL, "High CPU Usage")),
    ('foo=""', Matcher("foo", MatchOp.EQUAL, "")),
    ("foo=", Matcher("foo", MatchOp.EQUAL, "")),
    (r'foo="say \"hi\""', Matcher("foo", MatchOp.EQUAL, 'say "hi"')),
    (r'foo="a\\b\nc"', Matcher("foo", MatchOp.EQUAL, "a\\b\nc")),
    (r'foo=~"\d+\.\d+"', Matcher("foo", MatchOp.REGEX, r"\d+\.\d+")),
    (r"foo=C:\\dir\x", Matcher("foo", MatchOp.EQUAL, r"C:\dir\x")),
    ('foo="a,b{c}=d"', Matcher("foo", MatchOp.EQUAL, "a,b{c}=d")),
    ("foo=a=b", Matcher("foo", MatchOp.EQUAL, "a=b")),
    ('"größe in µm"="x"', Matcher("größe in µm", MatchOp.EQUAL, "x")),
    ('größe="x"', Matcher("größe", MatchOp.EQUAL, "x")),
    (r'"a \"b\""=c', Matcher('a "b"', MatchOp.EQUAL, "c")),
    ('job:cpu="x"', Matcher("job:cpu", MatchOp.EQUAL, "x")),
    ('{foo="bar"}', Matcher("foo", MatchOp.EQUAL, "bar")),
]


@pytest.mark.parametrize(("text", "matcher"), READ, ids=[text for text, _ in READ])
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, matcher: Matcher) -> None:
    assert parse_matcher(text) == matcher


@pytest.mark.parametrize("matcher", [matcher for _, matcher in READ], ids=str)
def test_a_matcher_printed_and_read_again_is_the_same(matcher: Matcher) -> None:
    assert parse_matcher(str(matcher)) == matcher


def test_one_text_may_hold_several_matchers() -> None:
    assert [str(matcher) for matcher in parse_matchers('{a="1", b=2 ,c!~"x,y",}')] == [
        'a="1"',
        'b="2"',
        'c!~"x,y"',
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is empty"),
        ("{}", "'{}' is empty"),
        ("foo", "'foo' is not a matcher; write a label, one of = != =~ !~, and a value"),
        ('="bar"', "is not a matcher"),
        ('""="bar"', "has an empty label name"),
        ("foo<bar", "is not a matcher"),
        ('{foo="bar"', "opens a brace and does not close it"),
        ('foo="bar', "has a double quote that is not closed or not escaped"),
        ('foo="bar"baz', "has a double quote that is not closed or not escaped"),
        ('foo=bar"baz', "has a double quote inside a value"),
        ("foo==bar", "has a value that begins with ="),
        ("foo='bar'", "has a value that begins with '"),
        ('foo=~"("', "has a bad regular expression: it does not compile"),
        ('foo=~"*"', "has a bad regular expression: it does not compile"),
    ],
)
def test_a_matcher_that_cannot_be_read_says_why(text: str, sentence: str) -> None:
    with pytest.raises(MatcherError) as raised:
        parse_matcher(text)
    assert sentence in str(raised.value)


def test_two_matchers_where_one_is_wanted_are_refused() -> None:
    with pytest.raises(MatcherError, match="holds 2 matchers where one is expected"):
        parse_matcher("a=1,b=2")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "not in RE2"),
        ("(?<!a)b", "not in RE2"),
        ("(?>a)", "not in RE2"),
        (r"(a)\1", "back reference"),
        ("a++", "possessive"),
        ("a{1001}", "more than 1000 times"),
        ("a{,3}", "write {0,n}"),
        ("[[:alpha:]]", "not supported"),
        (r"a\Z", "leave it out"),
        (r"\p{Greek}", "does not compile"),
        ("(a+)+b", "for ever"),
        ("(a|aa)*b", "for ever"),
        ("((a?)(a?)){50}", "for ever"),
    ],
)
def test_a_pattern_that_re2_reads_otherwise_or_that_may_never_end_is_refused(
    pattern: str, reason: str
) -> None:
    with pytest.raises(MatcherError) as raised:
        checked(Matcher("foo", MatchOp.REGEX, pattern))
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}:\d+", "10.0.0.12:9100"),
        ("(?i)high cpu.*", "High CPU Usage"),
        (r"web-(dev|prod)-\d+", "web-prod-7"),
        ("(?P<env>dev|prod)", "prod"),
        ("[]a]+", "]a]"),
        (r"\[x\]", "[x]"),
        ("(ab)*", "abab"),
        ("a{2}", "aa"),
        ("", ""),
    ],
)
def test_ordinary_patterns_are_taken(pattern: str, value: str) -> None:
    assert predicate(checked(Matcher("foo", MatchOp.REGEX, pattern)))(value)


@pytest.mark.parametrize(
    ("text", "value", "matched"),
    [
        ("foo=bar", "bar", True),
        ("foo=bar", "", False),
        ("foo!=bar", "", True),
        ("foo!=bar", "bar", False),
        ("foo=~bar", "bars", False),
        ("foo=~bar", "a bar", False),
        ('foo=~"a|b"', "b", True),
        ('foo=~"a|b"', "a|b", False),
        ('foo=~"(a|b)"', "a", True),
        ('foo=~"a|b.*"', "bcd", True),
        ('foo=~"a|b.*"', "abc", False),
        (r'foo=~"a\.b|c"', "a.b", True),
        (r'foo=~"a\.b|c"', "axb", False),
        ('foo=~".*"', "", True),
        ('foo=~".+"', "", False),
        ('foo=~"a|"', "", True),
        ('foo!~"a|b"', "a", False),
        ('foo!~"a|b"', "", True),
        ('foo!~"a.*"', "b", True),
        ('foo!~"a.*"', "abc", False),
        (r"foo=~\d", "٣", False),
        ('foo=~"bar"', "bar\n", False),
    ],
)
def test_a_pattern_is_held_against_the_whole_value_and_a_missing_label_is_empty(
    text: str, value: str, matched: bool
) -> None:
    assert predicate(parse_matcher(text))(value) is matched


def test_a_long_hostile_value_is_judged_at_once() -> None:
    judge = predicate(parse_matcher(r'foo=~"[a-z]+(-[a-z0-9]+){2}"'))
    begun = time.thread_time()
    assert not judge("a-" * 20_000 + "!")
    assert time.thread_time() - begun < 1
