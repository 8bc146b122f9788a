from __future__ import annotations

import time

import pytest

from service.domain.rules.matchers import (
    MatcherError,
    Predicate,
    checked,
    parse_matcher,
    parse_matchers,
    predicate,
)
from service.domain.rules.regexes import MAX_VALUE_BYTES
from service.domain.rules.rules import Matcher, MatchOp

SLACK_S = 0.05
"""Seconds by which a busy machine may blur a measurement of microseconds."""

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
        ('foo=~"("', 'foo=~"(" has a bad regular expression: RE2 says "missing ): (". Close the'),
        ('foo=~"*"', 'RE2 says "no argument for repetition operator: *". Write .* for any text'),
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
    ("pattern", "words", "advice"),
    [
        ("(?!test-).*", "invalid perl operator: (?!", "a second matcher on the same label"),
        ("(?<!a)b", "invalid perl operator: (?<!", "no look-ahead and no look-behind"),
        ("(?>a)", "invalid perl operator: (?>", "RE2 knows the groups (…), (?:…)"),
        (r"(a)\1", r"invalid escape sequence: \1", "RE2 has no back references"),
        (r"a\Z", r"invalid escape sequence: \Z", "Leave it out"),
        (r"gr\u00f6n", r"invalid escape sequence: \u", r"its code as in \x{00fc}"),
        (r"\yes", r"invalid escape sequence: \y", r"Write \\ for a backslash"),
        ("a++", "bad repetition operator: ++", "no possessive repeats"),
        ("a{2}{3}", "bad repetition operator: {2}{3}", "as in (?:a{2}){3}"),
        ("a{1001}", "invalid repetition size: {1001}", "A repeat goes up to 1000"),
        ("(a{1000}){2}", "invalid repetition size: {2}", "nested repeats multiply"),
        ("a)", "unexpected ): a)", r"write \) for the sign itself"),
        (r"[\d", r"missing ]: [\d", "Close the set"),
        ("[z-a]", "invalid character class range: z-a", "lower character first"),
        ("[[:letter:]]", "invalid character class range: [:letter:]", "such as [[:alpha:]]"),
        (r"\p{Latn}", r"invalid character class range: \p{Latn}", r"\p{Greek}"),
        ("(?P<a-b>x)", "invalid named capture group: (?P<a-b>", "letters, digits and _"),
        ("a\\", "trailing \\", r"Write \\ for a backslash"),
        (r"\pL{500}", "pattern too large", "more memory than a pattern may use (1 MiB)"),
    ],
)
def test_a_pattern_that_re2_refuses_is_refused_in_its_words_and_with_what_to_write(
    pattern: str, words: str, advice: str
) -> None:
    with pytest.raises(MatcherError) as raised:
        checked(Matcher("foo", MatchOp.REGEX, pattern))
    told = str(raised.value)
    assert f'has a bad regular expression: RE2 says "{words}' in told
    assert advice in told
    assert told.endswith(".")


@pytest.mark.parametrize("pattern", [r"\C", r"a\C+", r"[\C]"])
def test_a_pattern_for_single_bytes_is_refused_as_alertmanager_refuses_it(pattern: str) -> None:
    with pytest.raises(MatcherError, match=r"Write \. for one character"):
        checked(Matcher("foo", MatchOp.REGEX, pattern))


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
        (r"[a-z]+(-[a-z0-9]+){2}", "api-eu-1"),
        (r"\w+\s\S*\b", "High CPU"),
        (r"a\-b\/c\ d\_e", "a-b/c d_e"),
        (".{0,1000}", "anything"),
        ("(?i:cpu|mem)-.+", "CPU-1"),
        ("", ""),
    ],
)
def test_a_pattern_that_was_valid_before_re2_judged_is_still_valid(
    pattern: str, value: str
) -> None:
    assert predicate(checked(Matcher("foo", MatchOp.REGEX, pattern)))(value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("(?i)übung.*", "ÜBUNG 7"),
        ("(web|api)+-.*", "webapi-7"),
        ("(a|b)+", "abba"),
        ("(a+)+b", "aaab"),
        ("[[:alpha:]]+", "abc"),
        (r"\pL", "ä"),
        (r"\p{Greek}+", "χάος"),
        ("(?U)a+", "aa"),
        (r"\Qa.b\E+", "a.bb"),
        (r"\Q\C\E", r"\C"),
        (r"\\C+", r"\CC"),
        (r"\x{00fc}", "ü"),
        ("a{,3}", "a{,3}"),
    ],
)
def test_whatever_alertmanager_takes_is_taken_and_means_the_same(pattern: str, value: str) -> None:
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


def test_half_a_character_counts_as_one_character_that_is_not_known() -> None:
    assert predicate(parse_matcher('foo=~"a.b"'))("a\ud800b")
    assert predicate(parse_matcher(r'foo=~"a\x{fffd}b"'))("a\udfffb")
    assert not predicate(parse_matcher('foo=~"[a-z]+"'))("a\ud800b")


@pytest.mark.parametrize("value", ["a" * (MAX_VALUE_BYTES + 1), "ü" * (MAX_VALUE_BYTES // 2 + 1)])
def test_a_value_that_is_too_long_to_be_tried_satisfies_neither_operator(value: str) -> None:
    assert not predicate(parse_matcher('foo=~".*"'))(value)
    assert not predicate(parse_matcher('foo!~"x.*"'))(value)
    assert predicate(parse_matcher('foo!~"x|y"'))(value)


def test_the_longest_value_that_is_tried_is_judged_whole() -> None:
    value = "a" * (MAX_VALUE_BYTES - 1)
    assert predicate(parse_matcher('foo=~"a+b"'))(value + "b")
    assert not predicate(parse_matcher('foo=~"a+b"'))(value + "c")


@pytest.mark.parametrize(
    ("pattern", "part", "end"),
    [
        (r"([a-z0-9-]+\.?){1,5}", "a", "!"),
        (".*a.*a.*a.*a.*z", "a", ""),
        ("(a|aa)+b", "a", ""),
        (r"[a-z]+(-[a-z0-9]+){2}", "a-", "!"),
    ],
)
def test_time_grows_no_faster_than_the_length_of_a_hostile_value(
    pattern: str, part: str, end: str
) -> None:
    judge = predicate(Matcher("foo", MatchOp.REGEX, pattern))
    # Short enough for an engine that backtracks to fail here instead of standing still.
    short = spent(judge, part * (50 // len(part)) + end)
    assert spent(judge, part * (100 // len(part)) + end) <= 4 * short + SLACK_S
    middle = spent(judge, part * (400 // len(part)) + end)
    assert spent(judge, part * (4000 // len(part)) + end) <= 20 * middle + SLACK_S


def spent(judge: Predicate, value: str) -> float:
    """Processor seconds for refusing the value."""
    begun = time.thread_time()
    assert not judge(value)
    return time.thread_time() - begun
