"""Watchdogs: when one was heard, and what its silence asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.alerts.alert import AlertKind
from service.domain.alerts.episodes import identity, refused_identity_of
from service.domain.heartbeat import PAGE_WAITS_S, RUN_WAITS_S, Waiting, why_unwell
from service.domain.watchdogs import GRACE_S, Due, Episode, Known, Watchdog, due, heard_at
from tests.fakes.alerts import alert

NOW = 1_780_000_000.0
DOG = Watchdog("Watchdog", 600.0)
WELL = Known("Watchdog", 600.0, heard_at=NOW)
FIRES = Episode(identity("alertmanager", "f"), "alertmanager", "f", "condition", True, NOW, None, 9)


def test_a_watchdog_that_fires_was_heard_with_its_newest_word() -> None:
    older = replace(FIRES, last_seen=NOW - 60)
    assert heard_at([older, FIRES, older]) == NOW


def test_a_watchdog_that_has_ended_was_heard_until_its_end() -> None:
    ended = replace(FIRES, open=False, last_seen=NOW + 30, resolved_at=NOW + 5)
    assert heard_at([ended]) == NOW + 5


@pytest.mark.parametrize(
    "episode",
    [
        replace(FIRES, open=False, resolved_at=NOW, times_seen=1),
        replace(FIRES, kind=AlertKind.TEST),
        replace(FIRES, kind=AlertKind.NO_DATA),
        replace(FIRES, key=refused_identity_of(alert("Watchdog", fingerprint="f"))),
    ],
    ids=["an end or a replay", "a test", "no data", "of a sender that may not"],
)
def test_what_is_no_word_of_the_watchdog_is_not_heard(episode: Episode) -> None:
    assert heard_at([episode]) is None
    assert heard_at([episode, FIRES]) == NOW


@pytest.mark.parametrize(
    ("known", "after_s", "watched_s", "what"),
    [
        (replace(WELL, heard_at=None), 1e6, 1e6, Due.NOTHING),
        (WELL, 599.0, 1e6, Due.NOTHING),
        (WELL, 600.0, 1e6, Due.TELL),
        (WELL, 600.0, GRACE_S - 1, Due.NOTHING),
        (WELL, 600.0, GRACE_S, Due.TELL),
        (replace(WELL, silent_since=NOW + 600), 700.0, 0.0, Due.PAGE),
        (replace(WELL, silent_since=NOW + 600, paged_at=NOW + 601), 700.0, 1e6, Due.NOTHING),
        (replace(WELL, silent_since=NOW - 5, paged_at=NOW - 4), 1.0, 0.0, Due.BACK),
        (replace(WELL, silent_since=NOW - 5), 1.0, 0.0, Due.BACK),
    ],
    ids=[
        "never heard",
        "just before",
        "silent",
        "silent when the worker has just started",
        "silent when the worker has watched",
        "told and not paged",
        "told and paged",
        "heard again",
        "heard again before it was paged",
    ],
)
def test_what_is_due_follows_from_how_long_the_watchdog_is_silent_and_what_was_done(
    known: Known, after_s: float, watched_s: float, what: Due
) -> None:
    assert due(DOG, known, NOW + after_s, watched_s) is what


def test_all_is_well_until_a_run_or_a_page_has_waited_for_too_long() -> None:
    assert why_unwell(Waiting(), NOW) == ""
    edge = Waiting(NOW - RUN_WAITS_S, NOW - PAGE_WAITS_S)
    assert why_unwell(edge, NOW) == ""
    assert why_unwell(edge, NOW + 1) == "the oldest run has waited for 20 min 1 s"
    assert why_unwell(Waiting(None, NOW - 301), NOW) == "the oldest page has waited for 5 min 1 s"
