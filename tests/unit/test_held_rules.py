"""The rules of one process follow their files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.domain.rules.rules import RuleBook
from service.rulebook import RuleBookInvalid, load_rulebook
from service.rulebook.held import SETTLE_S, HeldRules
from service.rulebook.sources import KeptSources, Sources
from tests.fakes.clock import FakeClock

RULE = """
  - name: {name}
    match: ['alertname="{name}"']
    action: tell
    with: {{channels: ["#ops"], text: "It fires."}}
    cooldown: {cooldown}
"""


def text(*names: str, cooldown: str = "10m") -> str:
    return "rules:" + "".join(RULE.format(name=name, cooldown=cooldown) for name in names)


class Watched:
    """Rules in one file, and the time."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, FakeClock()
        self.kept: list[str] = []
        self.reads = 0
        self.during: Callable[[], None] = lambda: None
        self.held = HeldRules(
            [path],
            self.load,
            lambda book, _sources: self.kept.append(book.hash),
            clock=self.clock.time,
            monotonic=self.clock.monotonic,
        )

    def load(self, sources: Sources) -> RuleBook:
        self.reads += 1
        try:
            return load_rulebook([self.path], {}, sources=sources)
        finally:
            self.during()

    def write(self, body: str) -> None:
        self.path.write_text(body)

    def later(self, seconds: float = SETTLE_S, *, asked: bool = False) -> bool:
        """Whether a look so many seconds later has read the file."""
        self.clock.sleep(seconds)
        return self.held.look(asked=asked)

    @property
    def names(self) -> list[str]:
        assert self.held.book is not None
        return [each.name for each in self.held.book.rules]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    made = Watched(tmp_path / "rules.yml")
    made.write(text("one"))
    made.held.begin()
    return made


def test_a_file_that_has_not_changed_is_not_read_again(watched: Watched) -> None:
    assert not any(watched.later() for _ in range(5))
    assert watched.reads == 1


def test_a_file_that_has_changed_is_in_force_once_it_has_settled(watched: Watched) -> None:
    before = watched.held.rules()
    watched.write(text("one", "two"))
    assert not watched.later(), "it may be half written"
    assert watched.names == ["one"]
    assert watched.later()
    assert watched.names == ["one", "two"]
    assert [each.name for each in before.book.rules] == ["one"], "who had taken it keeps it"


def test_the_index_and_the_book_are_replaced_together(watched: Watched) -> None:
    watched.write(text("two"))
    watched.later()
    watched.later()
    rules = watched.held.rules()
    assert rules is watched.held.rules()
    assert rules.book is watched.held.book


def test_half_a_file_is_never_in_force_although_it_is_valid(watched: Watched) -> None:
    whole = text("one", "two", "three")
    half = text("one", "two")
    assert whole.startswith(half)
    watched.write(half)
    assert not watched.later(SETTLE_S * 0.9)
    assert not watched.later(SETTLE_S * 0.9)
    watched.write(whole)
    assert not watched.later()
    assert watched.later()
    assert watched.names == ["one", "two", "three"]
    assert len(watched.kept) == 2


def test_a_file_that_changes_while_it_is_read_is_read_again_before_it_is_in_force(
    watched: Watched,
) -> None:
    def finish() -> None:
        watched.during = lambda: None
        watched.write(text("one", "two", "three"))

    watched.write(text("one", "two"))
    watched.later()
    watched.during = finish
    assert not watched.later()
    assert watched.names == ["one"]
    assert not watched.later(), "it has changed"
    assert watched.later()
    assert watched.names == ["one", "two", "three"]


def test_an_invalid_file_leaves_the_last_good_rules_in_force_until_it_is_valid(
    watched: Watched,
) -> None:
    watched.write("rules: [{name: broken}]")
    watched.later()
    assert watched.later()
    assert watched.names == ["one"]
    refused = watched.held.refused
    assert refused is not None
    assert f"{watched.path}:1" in refused.errors[0]
    watched.write(text("two"))
    watched.later()
    assert watched.later()
    assert watched.names == ["two"]
    assert watched.held.refused is None


def test_a_second_error_keeps_the_time_of_the_first(watched: Watched) -> None:
    for body in ("rules: [{name: broken}]", "rules: 7"):
        watched.write(body)
        watched.later()
        assert watched.later()
    refused = watched.held.refused
    assert refused is not None
    assert refused.since < watched.clock.time() - SETTLE_S
    assert "must be a list" in refused.errors[0]


def test_a_file_that_is_gone_for_a_moment_changes_nothing(watched: Watched) -> None:
    watched.path.unlink()
    assert not watched.later()
    watched.write(text("two"))
    assert not watched.later()
    assert watched.held.refused is None
    assert watched.later()
    assert watched.names == ["two"]


def test_a_file_that_was_replaced_by_another_of_the_same_size_and_time_is_read(
    watched: Watched,
) -> None:
    seen = watched.path.stat()
    new = watched.path.with_name("new")
    new.write_text(text("two"))
    os.utime(new, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert new.stat().st_size == seen.st_size
    new.replace(watched.path)
    watched.later()
    assert watched.later()
    assert watched.names == ["two"]


def test_whoever_asks_has_the_file_read_although_it_looks_the_same(watched: Watched) -> None:
    assert watched.later(asked=True)
    assert watched.reads == 2


def test_whoever_asks_waits_too_until_the_file_has_settled(watched: Watched) -> None:
    watched.write(text("one", "two"))
    assert not watched.later(asked=True)
    assert watched.later()
    assert watched.names == ["one", "two"]


def test_without_good_files_at_the_start_the_last_good_rules_are_taken(tmp_path: Path) -> None:
    good = Watched(tmp_path / "good.yml")
    good.write(text("kept"))
    good.held.begin()
    watched = Watched(tmp_path / "rules.yml")
    watched.write("rules: 7")
    watched.held.begin(lambda: good.held.book)
    assert watched.names == ["kept"]
    assert watched.held.refused is not None
    watched.write(text("new"))
    watched.later()
    assert watched.later()
    assert watched.names == ["new"]


def test_without_any_good_rules_the_start_tells_the_errors(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "rules.yml")
    with pytest.raises(RuleBookInvalid, match="cannot be read"):
        watched.held.begin()
    assert watched.held.book is None
    watched.write(text("new"))
    watched.later()
    assert watched.later(), "it goes on looking"
    assert watched.names == ["new"]


def test_what_the_files_said_makes_the_same_rules_without_them(tmp_path: Path) -> None:
    watched, sources = Watched(tmp_path / "rules.yml"), Sources()
    watched.write(text("one", "two"))
    before = load_rulebook([watched.path], {}, sources=sources)
    watched.path.unlink()
    after = load_rulebook([watched.path], {}, sources=KeptSources(sources.files))
    assert after == before
    with pytest.raises(RuleBookInvalid, match="it was not kept"):
        load_rulebook([watched.path], {}, sources=KeptSources({}))


OBJECT = """
targets:
  site:
    kind: bucket
    bucket: quizmentor
    region: nyc3
    objects: {page: {key: index.html, files: {static: static.html}}}
rules:
  - name: overloaded
    match: [alertname=Overloaded]
    action: put_object
    target: site
    with: {object: page, body: static}
    cooldown: 10m
"""


def test_a_file_that_a_target_names_is_followed_and_kept_like_the_rule_file(tmp_path: Path) -> None:
    page = tmp_path / "static.html"
    page.write_text("<p>Back soon.</p>")
    watched, sources = Watched(tmp_path / "rules.yml"), Sources()
    watched.write(OBJECT)
    watched.held.begin()
    before = watched.held.book
    load_rulebook([watched.path], {}, sources=sources)
    page.write_text("<p>Back at noon.</p>")
    watched.later()
    assert watched.later()
    assert before is not None
    assert watched.held.book is not None
    assert watched.held.book.hash != before.hash
    kept = load_rulebook([watched.path], {}, sources=KeptSources(sources.files))
    assert kept.hash == before.hash


def test_files_that_the_loader_itself_fails_on_are_refused_once_with_its_words(
    watched: Watched,
) -> None:
    def fails() -> None:
        raise RecursionError("maximum recursion depth exceeded")

    watched.during = fails
    watched.write(text("two"))
    with capture_logs() as logs:
        assert [watched.later() for _ in range(4)] == [False, True, False, False]
    assert watched.names == ["one"]
    assert watched.held.refused is not None
    (said,) = watched.held.refused.errors
    assert said.startswith(f"{watched.path}:1: ")
    assert "maximum recursion depth exceeded" in said
    (logged,) = [each for each in logs if each["event"] == "rules_refused"]
    assert isinstance(logged["exc_info"], RecursionError)

    watched.during = lambda: None
    watched.write(text("three"))
    assert [watched.later() for _ in range(2)] == [False, True]
    assert watched.names == ["three"]
    assert not watched.held.refused
