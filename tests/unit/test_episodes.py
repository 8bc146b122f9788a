"""Episodes: what one more notification makes of an alert, as a table."""

from __future__ import annotations

import pytest

from service.domain.alerts.alert import Alert
from service.domain.alerts.episodes import Episode, Transition, identity, transition
from tests.fakes.alerts import alert, resolved

NOW, GRACE_S = 1_000.0, 120.0

OPEN = Episode("a-1", open=True, last_seen=900.0, resolved_at=None)
CLOSED_A_MOMENT_AGO = Episode("a-1", open=False, last_seen=900.0, resolved_at=NOW - GRACE_S)
CLOSED_LONG_AGO = Episode("a-1", open=False, last_seen=100.0, resolved_at=NOW - GRACE_S - 0.001)
CLOSED_BY_A_FASTER_CLOCK = Episode("a-1", open=False, last_seen=900.0, resolved_at=NOW + 5)
NEVER_OPENED = Episode("a-1", open=False, last_seen=900.0, resolved_at=None)
"""A test button's: shown, but neither open nor resolved."""


@pytest.mark.parametrize(
    ("newest", "told", "expected"),
    [
        (None, alert(), Transition.OPENED),
        (OPEN, alert(), Transition.REPEATED),
        (CLOSED_A_MOMENT_AGO, alert(), Transition.REOPENED),
        (CLOSED_BY_A_FASTER_CLOCK, alert(), Transition.REOPENED),
        (CLOSED_LONG_AGO, alert(), Transition.OPENED),
        (NEVER_OPENED, alert(), Transition.OPENED),
        (None, resolved(), Transition.RESOLVED_UNSEEN),
        (OPEN, resolved(), Transition.RESOLVED),
        (CLOSED_A_MOMENT_AGO, resolved(), Transition.RESOLVED_AGAIN),
        (CLOSED_LONG_AGO, resolved(), Transition.RESOLVED_AGAIN),
    ],
)
def test_a_notification_means(newest: Episode | None, told: Alert, expected: Transition) -> None:
    assert transition(newest, told, NOW, GRACE_S) is expected


def test_a_grace_of_nothing_opens_anew_unless_it_is_the_same_moment() -> None:
    closed = Episode("a-1", open=False, last_seen=900.0, resolved_at=NOW - 0.001)
    assert transition(closed, alert(), NOW, 0.0) is Transition.OPENED


def test_identities_are_stable_and_fit_into_a_signed_column() -> None:
    assert identity("alertmanager", "0123456789abcdef") == 5_892_105_411_482_136_020
    assert 0 <= identity("grafana", "\ud800") < 2**63


def test_source_and_fingerprint_do_not_run_into_each_other() -> None:
    assert identity("a", "bc") != identity("ab", "c")
    assert identity("a", "b") != identity("b", "a")
