"""Action `ignore`: the alert is kept and shown, and nothing follows from it."""

from __future__ import annotations

from service.domain.alerts.alert import AlertKind
from service.domain.decisions.decision import Verdict
from tests.fakes.alerts import NOW, WATCHDOG, alert, delivery, resolved
from tests.fakes.journal import Desk


def test_an_ignored_alert_is_rejected_with_its_reason_and_takes_no_claim() -> None:
    desk = Desk()
    (decision,) = desk.verdicts(delivery(alert(WATCHDOG)))
    assert (decision.verdict, decision.rule, decision.guard, decision.run) == (
        Verdict.REJECT,
        "watchdog",
        "ignored",
        None,
    )
    assert decision.reason == "the rule says that this alert is ignored"
    assert not desk.store.runs
    assert not desk.store.cooldowns
    assert not desk.gate.values


def test_its_episode_is_kept_and_a_repeat_is_only_counted() -> None:
    desk = Desk()
    desk.admit(delivery(alert(WATCHDOG)))
    desk.admit(delivery(alert(WATCHDOG), at=NOW + 60))
    (episode,) = desk.store.episodes.values()
    assert (episode.open, desk.store.times_seen[episode.id]) == (True, 2)
    assert len(desk.store.decisions) == 1
    (ended,) = desk.verdicts(delivery(resolved(WATCHDOG), at=NOW + 90))
    assert (ended.verdict, ended.guard) == (Verdict.HOLD, "resolved")


def test_nobody_is_told_that_an_ignored_alert_has_no_data() -> None:
    desk = Desk()
    desk.admit(delivery(alert(WATCHDOG, kind=AlertKind.NO_DATA)))
    assert not desk.store.runs
