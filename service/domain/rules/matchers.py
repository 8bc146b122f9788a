"""Alertmanager's matcher syntax, so that a rule can be copied from a route or a silence.

It is read as Alertmanager reads it by default: label names bare or quoted (UTF-8), values bare
or quoted, in which only `\\\\`, `\\"` and `\\n` are escapes and any other backslash stays. Where
Alertmanager would take an obvious slip at its word (`foo==bar`, `foo='bar'`), it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from service.domain.rules.regexes import compile_anchored, literal_alternatives
from service.domain.rules.rules import Matcher, MatchOp

Predicate = Callable[[str], bool]
"""Whether a label's value (the empty string when the label is missing) satisfies a matcher."""

_QUOTED = r'"(?:\\.|[^"\\])*"'
_HEAD = re.compile(
    rf"""\s*(?:(?P<quoted>{_QUOTED})|(?P<bare>[^\s{{}}!=~,\\"'`]+))\s*(?P<op>=~|!~|!=|=)\s*""",
    re.DOTALL,
)
_QUOTED_VALUE = re.compile(rf"(?P<value>{_QUOTED})\s*(?P<end>,|$)", re.DOTALL)
_BARE_VALUE = re.compile(r'(?P<value>(?:\\.|[^",\\]|\\$)*?)\s*(?P<end>,|$)', re.DOTALL)
_ESCAPE = re.compile(r'\\([n"\\])')


class MatcherError(ValueError):
    """A matcher that cannot be read; its text is a sentence that quotes the matcher."""


def parse_matcher(text: str) -> Matcher:
    """The one matcher in `text`, such as `severity=~"warning|critical"`."""
    matchers = parse_matchers(text)
    if len(matchers) != 1:
        raise MatcherError(f"{text!r} holds {len(matchers)} matchers where one is expected.")
    return matchers[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers in `text`, separated by commas, with or without `{}` around them."""
    inner = _without_braces(text)
    if not inner.strip():
        raise MatcherError(f'{text!r} is empty; write a matcher such as alertname="High CPU".')
    found: list[Matcher] = []
    position = 0
    while position < len(inner):
        if found and not inner[position:].strip():
            break  # Alertmanager allows a comma at the end
        matcher, position = _next(inner, position, text)
        found.append(matcher)
    return tuple(found)


def checked(matcher: Matcher) -> Matcher:
    """The same matcher, once its regular expression is known to be sound."""
    if matcher.op in (MatchOp.REGEX, MatchOp.NOT_REGEX):
        try:
            compile_anchored(matcher.value)
        except ValueError as error:
            raise MatcherError(f"{matcher} has a bad regular expression: {error}.") from error
    return matcher


def predicate(matcher: Matcher) -> Predicate:
    """The matcher as a function of the label's value, with its pattern compiled once."""
    literals = accepted_literals(matcher)
    if literals is not None:
        return literals.__contains__
    refused = refused_literals(matcher)
    if refused is not None:
        return lambda value: value not in refused
    judge = compile_anchored(matcher.value)
    # A value that is too long to be tried satisfies neither operator, so the rule does not match.
    wanted = matcher.op is MatchOp.REGEX
    return lambda value: judge(value) is wanted


def accepted_literals(matcher: Matcher) -> frozenset[str] | None:
    """The only values it accepts, for `=` and for `=~` with plain alternatives; else None."""
    if matcher.op is MatchOp.EQUAL:
        return frozenset((matcher.value,))
    return literal_alternatives(matcher.value) if matcher.op is MatchOp.REGEX else None


def refused_literals(matcher: Matcher) -> frozenset[str] | None:
    """The only values it refuses, for `!=` and for `!~` with plain alternatives; else None."""
    if matcher.op is MatchOp.NOT_EQUAL:
        return frozenset((matcher.value,))
    return literal_alternatives(matcher.value) if matcher.op is MatchOp.NOT_REGEX else None


def _without_braces(text: str) -> str:
    stripped = text.strip()
    if not stripped.startswith("{"):
        return text
    if not stripped.endswith("}"):
        raise MatcherError(f"{text!r} opens a brace and does not close it.")
    return stripped[1:-1]


def _next(inner: str, position: int, text: str) -> tuple[Matcher, int]:
    """The matcher at `position` and where the one after it begins."""
    head = _HEAD.match(inner, position)
    if head is None:
        raise MatcherError(
            f"{text!r} is not a matcher; write a label, one of = != =~ !~, and a value, "
            'such as severity="critical".'
        )
    label = head["bare"] or _unescaped(head["quoted"][1:-1])
    if not label:
        raise MatcherError(f"{text!r} has an empty label name.")
    value, end = _value(inner, head.end(), text)
    return checked(Matcher(label, MatchOp(head["op"]), value)), end


def _value(inner: str, position: int, text: str) -> tuple[str, int]:
    if inner.startswith('"', position):
        quoted = _QUOTED_VALUE.match(inner, position)
        if quoted is None:
            raise MatcherError(f"{text!r} has a double quote that is not closed or not escaped.")
        return _unescaped(quoted["value"][1:-1]), quoted.end()
    if inner[position : position + 1] in ("=", "~", "'", "`"):
        raise MatcherError(
            f"{text!r} has a value that begins with {inner[position]}; "
            "put the value in double quotes if that is meant."
        )
    bare = _BARE_VALUE.match(inner, position)
    if bare is None:
        raise MatcherError(f'{text!r} has a double quote inside a value; write it as \\".')
    return _unescaped(bare["value"]), bare.end()


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], value)
