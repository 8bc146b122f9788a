"""Regular expressions as Alertmanager reads them: by RE2, anchored, case by Unicode's rules.

RE2 itself judges and matches. A rule copied from Alertmanager means the same here, and a hostile
label value can't make a pattern run for ever: RE2 needs time in proportion to the value's length.

The low-level `RE2.Match` is called, not the package's wrapper: 0.6 µs against 1.4 to 4 µs
for a match. `re2.Set` is as fast, but it has no way to say that it ran out of memory.
`tests/contract/test_re2.py` holds the package to what is used here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2  # type: ignore[import-untyped]  # google-re2 ships neither types nor stubs

from service.domain.rules.regex_advice import with_advice

Judge = Callable[[str], bool | None]
"""Whether a pattern matches the whole of a value; None when the value is too long to be tried."""

MAX_MEMORY = 1024 * 1024
"""Bytes that one pattern may use, for its program and for what RE2 remembers while it matches.

RE2's own default is 8 MiB. This is enough for `.{0,1000}`, and a thousand different patterns use
1 GiB at the very most; an ordinary one uses some kilobytes."""

MAX_VALUE_BYTES = 8 * 1024
"""Longest value, in bytes of UTF-8, that a pattern is tried on.

Four times what Grafana Cloud lets a label hold (2,048 characters). The most costly pattern that
was tried, `.*a.{1000}.*b.{0,1000}.*a.{1000}`, takes 60 ms on such a value. On one of 16 MiB, the
largest notification, it would take two minutes."""

_CACHED = 2048
"""Patterns kept compiled: a book of a thousand rules with two patterns each."""

_WHOLE = re2._re2.RE2.Anchor.ANCHOR_BOTH  # noqa: SLF001 - see the module's docstring
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTED_OR_ESCAPE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_LITERAL = re.compile(r"(?:[^\\.^$*+?{}\[\]()|]|\\[^0-9A-Za-z])*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WHOLE_GROUP = re.compile(r"\((?:\?:)?([^()]*)\)")


@lru_cache(maxsize=_CACHED)
def compile_anchored(pattern: str) -> Judge:
    """The pattern as a function of a label's value.

    Raises `ValueError` with what RE2 says and what to write instead, without a full stop.
    """
    if any(piece == r"\C" for piece in _QUOTED_OR_ESCAPE.findall(pattern)):
        # C++'s RE2 takes it, Go's (Alertmanager's) does not: a byte of a character is no text.
        raise ValueError(with_advice(r"invalid escape sequence: \C"))
    program = re2._re2.RE2(_utf8(pattern), _options())  # noqa: SLF001 - see the module's docstring
    if not program.ok():
        raise ValueError(with_advice(program.error().decode("utf-8", "replace")))
    match = program.Match

    def judge(value: str) -> bool | None:
        text = _utf8(value)
        if len(text) > MAX_VALUE_BYTES:
            return None
        # Where nothing matches, the only span is (-1, -1).
        return bool(match(_WHOLE, text, 0, len(text))[0][0] == 0)

    return judge


def literal_alternatives(pattern: str) -> frozenset[str] | None:
    """The strings that `A|B|C` stands for; None for a pattern that is more than a list."""
    whole = _WHOLE_GROUP.fullmatch(pattern)
    parts = (whole.group(1) if whole else pattern).split("|")
    if not all(_LITERAL.fullmatch(part) for part in parts):
        return None
    return frozenset(_ESCAPED.sub(r"\1", part) for part in parts)


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.never_capture = True  # only whether it matches is asked, which RE2 answers faster
    options.log_errors = False  # RE2 would write to the process's stderr
    return options


def _utf8(text: str) -> bytes:
    """The text for RE2. Half a character, which JSON and YAML can hold, becomes U+FFFD as in Go."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub("\ufffd", text).encode("utf-8")
