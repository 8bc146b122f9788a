"""What `service/domain/rules/regexes.py` relies on in google-re2, the low-level part included."""

from __future__ import annotations

import pytest
import re2  # type: ignore[import-untyped]  # google-re2 ships neither types nor stubs

WHOLE = re2._re2.RE2.Anchor.ANCHOR_BOTH


def program(pattern: bytes, max_mem: int = 1024 * 1024) -> re2._re2.RE2:
    options = re2.Options()
    options.max_mem = max_mem
    options.never_capture = True
    options.log_errors = False
    return re2._re2.RE2(pattern, options)


@pytest.mark.parametrize("text", [b"", b"ab", b"a\x00b", b"a\nb\n", "aéb".encode()])
def test_an_anchored_match_gives_one_span_over_the_whole_text(text: bytes) -> None:
    spans = program(b"(?s)(a)?.*").Match(WHOLE, text, 0, len(text))
    assert spans == [(0, len(text))]


@pytest.mark.parametrize("text", [b"", b"b", b"xab", b"abx", b"ab\n"])
def test_where_nothing_matches_the_only_span_is_minus_one(text: bytes) -> None:
    assert program(b"(a)b").Match(WHOLE, text, 0, len(text)) == [(-1, -1)]


def test_a_bad_pattern_is_told_in_bytes_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    bad = program(b"(")
    assert not bad.ok()
    assert bad.error() == b"missing ): ("
    assert capfd.readouterr() == ("", "")


def test_memory_bounds_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    assert program(rb"\pL{100}").error() == b"pattern too large - compile failed"
    assert program(rb"\pL{100}", max_mem=8 * 1024 * 1024).ok()
    assert capfd.readouterr() == ("", "")


def test_a_match_that_needs_more_memory_than_it_may_use_is_still_right(
    capfd: pytest.CaptureFixture[str],
) -> None:
    remembers_300_places = program(b".*a.{300}")
    text = b"ab" * 2000
    assert remembers_300_places.Match(WHOLE, text, 0, len(text)) == [(-1, -1)]
    assert remembers_300_places.Match(WHOLE, text + b"b", 0, len(text) + 1) == [(0, 4001)]
    assert capfd.readouterr() == ("", "")
