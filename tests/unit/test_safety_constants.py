"""Numbers that safety stands on: each test says why the number is as large as it is."""

from __future__ import annotations

from service.domain.alerts.episodes import EVIDENCE_S
from service.engine.context import LockKeepingClock
from service.engine.lease import ROUNDS_PER_LEASE
from service.providers.waits import Timeouts
from service.store.coordination import BUSY_MS, HOLD_MS, LOCK_MS
from service.store.database import BUSY_TIMEOUT_MS
from service.web.group_commit import Bounds

HOUR_S = 3_600.0
ALERTMANAGERS_REPEAT_INTERVAL_S = 4 * HOUR_S
ALERTMANAGERS_GROUP_INTERVAL_S = 300.0
"""The sender's own defaults: a repeat comes with the first group interval after the former."""


def test_a_lock_outlasts_a_lost_renewal_and_the_longest_call_of_a_vendor() -> None:
    between_renewals_s = LockKeepingClock._STRIDE_S + Timeouts().total
    assert 2 * between_renewals_s < LOCK_MS / 1000


def test_a_lock_of_a_worker_that_died_does_not_hold_its_successor_up_for_minutes() -> None:
    # A held run is tried again a minute later (SOONEST_AGAIN_S).
    assert LOCK_MS / 1000 <= 60.0


def test_a_hold_in_redis_outlasts_the_longest_wait_for_the_database() -> None:
    # Admission waits for SQLite's one lock, or as long for a connection.
    assert HOLD_MS > 2 * BUSY_TIMEOUT_MS


def test_a_hold_in_redis_is_over_before_a_sender_gives_its_notification_up() -> None:
    assert Bounds().patience_s > HOLD_MS / 1000


def test_a_run_under_way_is_remembered_in_redis_for_longer_than_any_step_may_take() -> None:
    assert BUSY_MS / 1000 >= HOUR_S


def test_an_alert_is_evidence_until_its_senders_next_repeat_must_have_come() -> None:
    next_repeat_s = ALERTMANAGERS_REPEAT_INTERVAL_S + ALERTMANAGERS_GROUP_INTERVAL_S
    assert next_repeat_s + HOUR_S < EVIDENCE_S


def test_a_worker_has_three_tries_left_when_one_renewal_of_its_lease_was_lost() -> None:
    assert ROUNDS_PER_LEASE - 2 >= 3
