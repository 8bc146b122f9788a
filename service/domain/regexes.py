"""Regular expressions as Alertmanager reads them, so that a rule means the same in both places.

Alertmanager uses RE2: fully anchored, linear in time. Python's engine backtracks and knows more,
so a pattern is refused here when RE2 would not take it, when Python would read it differently,
or when a hostile label value could make it run for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_REPEAT = 1000
"""RE2's own limit for `{n}`."""

_MAX_VARIABLE_REPEAT = 10
"""How often a group of variable length may be repeated: enough for an IP address, few enough
that trying every split stays cheap."""

_TOKEN = re.compile(
    r"""
      (?P<escape>\\.)
    | (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<open>\((?:\?(?::|P<\w+>|[ims]+(?:-[ims]+)?:|-[ims]+:))?)
    | (?P<close>\))
    | (?P<repeat>[*+?]|\{(?P<low>\d+)(?P<comma>,(?P<high>\d*))?\})(?P<mode>[?+]?)
    | (?P<alternative>\|)
    | (?P<plain>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_GLOBAL_FLAGS = re.compile(r"\(\?[ims]+\)")
_ONLY_PYTHON_REPEAT = re.compile(r"(?<!\\)\{,\d+\}")
_LITERAL = re.compile(r"(?:[^\\.^$*+?{}\[\]()|]|\\[^0-9A-Za-z])*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WHOLE_GROUP = re.compile(r"\((?:\?:)?([^()]*)\)")


def compile_anchored(pattern: str) -> re.Pattern[str]:
    """The pattern, ready for `fullmatch`.

    Raises `ValueError` with a sentence that ends without a full stop when it must be refused.
    """
    _refuse_what_re2_refuses(pattern)
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"it does not compile: {error}") from error


def literal_alternatives(pattern: str) -> frozenset[str] | None:
    """The strings that `A|B|C` stands for; None for a pattern that is more than a list."""
    whole = _WHOLE_GROUP.fullmatch(pattern)
    parts = (whole.group(1) if whole else pattern).split("|")
    if not all(_LITERAL.fullmatch(part) for part in parts):
        return None
    return frozenset(_ESCAPED.sub(r"\1", part) for part in parts)


@dataclass(slots=True)
class _Group:
    """What has been read of one pair of brackets, or of the whole pattern."""

    variable: bool = False
    """Whether it can match one text in more than one way."""
    last_variable: bool = False
    """The same of the piece read last, which a repeat would apply to."""


def _refuse_what_re2_refuses(pattern: str) -> None:
    if _ONLY_PYTHON_REPEAT.search(pattern):
        raise ValueError("{,n} means itself in RE2; write {0,n}")
    flags = _GLOBAL_FLAGS.match(pattern)
    groups = [_Group()]
    for token in _TOKEN.finditer(pattern, flags.end() if flags else 0):
        match _kind(token):
            case "open":
                _refuse_extension(pattern, token)
                groups.append(_Group())
            case "close" if len(groups) > 1:
                _close(groups)
            case "repeat":
                _repeat(groups[-1], token)
            case "alternative":
                groups[-1].variable = True
            case _:
                _refuse_piece(token.group())
                groups[-1].last_variable = False


def _kind(token: re.Match[str]) -> str:
    kinds = ("open", "close", "repeat", "alternative")
    return next((kind for kind in kinds if token.group(kind) is not None), "piece")


def _refuse_extension(pattern: str, token: re.Match[str]) -> None:
    if token.group() == "(" and pattern.startswith("?", token.end()):
        raise ValueError(
            f"{pattern[token.start() : token.end() + 3]!r} is not in RE2, which has no "
            "look-ahead, look-behind, atomic or conditional groups"
        )


def _close(groups: list[_Group]) -> None:
    inner = groups.pop()
    groups[-1].last_variable = inner.variable
    groups[-1].variable |= inner.variable


def _repeat(group: _Group, token: re.Match[str]) -> None:
    if token.group("mode") == "+":
        raise ValueError(f"{token.group()!r} is a possessive repeat, which RE2 does not have")
    low, high = _bounds(token)
    if max(low, high or 0) > MAX_REPEAT:
        raise ValueError(f"{token.group()!r} repeats more than {MAX_REPEAT} times")
    if group.last_variable and (high is None or high > _MAX_VARIABLE_REPEAT):
        raise ValueError(
            "it repeats a group that itself repeats or has alternatives, which can take for ever "
            "on a long label value; write the group so that it matches in one way only"
        )
    group.last_variable = group.last_variable or low != high
    group.variable |= group.last_variable


def _bounds(token: re.Match[str]) -> tuple[int, int | None]:
    """Least and most repetitions; None means without end."""
    sign = token.group("repeat")
    if sign in ("*", "+", "?"):
        return (1 if sign == "+" else 0), (1 if sign == "?" else None)
    low = int(token.group("low"))
    if token.group("comma") is None:
        return low, low
    return low, int(token.group("high")) if token.group("high") else None


def _refuse_piece(piece: str) -> None:
    if piece.startswith("[") and "[:" in piece:
        raise ValueError(f"character classes such as {piece!r} are not supported; write a-z, 0-9")
    if piece[0] == "\\" and piece[1:].isdigit() and piece != "\\0":
        raise ValueError(f"{piece!r} is a back reference, which RE2 does not have")
    if piece == "\\Z":
        raise ValueError(r"'\Z' is not in RE2; leave it out, a matcher is always anchored")
