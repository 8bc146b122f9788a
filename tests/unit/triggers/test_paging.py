"""Paging rules at admission: one incident for each group, told whenever it changes."""

from __future__ import annotations

from service.domain.decisions.decision import Verdict
from service.ports.admission import IncidentRecord, NewRun
from tests.fakes.alerts import ERRORS, GRACE_S, NOW, alert, delivery, resolved
from tests.fakes.journal import Desk, saw

ACT, HOLD = Verdict.ACT, Verdict.HOLD


def _incident(desk: Desk) -> IncidentRecord:
    (incident,) = desk.store.incidents.values()
    return incident


def _run_begins(desk: Desk, run: str, now: float) -> None:
    """What a worker does before it looks at the incident: it gives the claim back."""
    desk.store.rest(run.rpartition(".")[0], now)


def _paged(*instances: str) -> Desk:
    """A desk whose group of these instances has been paged."""
    desk = Desk()
    (first, *_) = desk.verdicts(delivery(*(alert(ERRORS, each) for each in instances)))
    _run_begins(desk, first.run or "", NOW)
    _incident(desk).paged = True
    return desk


def _last_run(desk: Desk) -> NewRun:
    return list(desk.store.runs.values())[-1]


def test_ten_alerts_of_a_group_are_one_incident_and_one_run() -> None:
    desk = Desk()
    decisions = desk.verdicts(delivery(*(alert(ERRORS, f"{each}") for each in range(10))))
    assert {decision.verdict for decision in decisions} == {ACT}
    assert len({decision.run for decision in decisions}) == 1
    (run,) = desk.store.runs.values()
    assert run.request.on is None
    assert run.request.subject == _incident(desk).dedup_key
    assert run.partition == f"page:{_incident(desk).dedup_key}"
    assert len(run.request.origin.alerts) == 10
    assert len(_incident(desk).members) == 10


def test_groups_and_receivers_are_incidents_of_their_own() -> None:
    desk = Desk()
    desk.admit(
        delivery(alert(ERRORS), group={"cluster": "x"}),
        delivery(alert(ERRORS), group={"cluster": "y"}),
        delivery(alert(ERRORS), group={"cluster": "x"}, receiver="another"),
    )
    assert len(desk.store.incidents) == 3
    assert len(desk.store.runs) == 3


def test_a_page_that_waits_is_joined() -> None:
    desk = Desk()
    (first,) = desk.verdicts(delivery(alert(ERRORS, "a")))
    (second,) = desk.verdicts(delivery(alert(ERRORS, "b")))
    assert (second.verdict, second.run) == (ACT, first.run)
    assert len(desk.store.runs) == 1
    assert len(_incident(desk).members) == 2


def test_an_alert_that_comes_once_the_page_has_begun_is_told_by_a_run_of_its_own() -> None:
    desk = Desk()
    (first,) = desk.verdicts(delivery(alert(ERRORS, "a")))
    _run_begins(desk, first.run or "", NOW)
    (second,) = desk.verdicts(delivery(alert(ERRORS, "b")))
    assert second.verdict is ACT
    assert second.run != first.run
    assert len(desk.store.runs) == 2


def test_a_repeat_of_what_was_paged_is_held() -> None:
    desk = _paged("a")
    (decision,) = desk.verdicts(delivery(alert(ERRORS, "a")))
    assert (decision.verdict, decision.guard) == (HOLD, "paged")
    assert decision.reason == "already paged; the incident is open"
    assert saw(decision, "paged") == f"incident {_incident(desk).dedup_key} is open"


def test_an_alert_that_joins_an_open_incident_is_told() -> None:
    desk = _paged("a")
    old, new = desk.verdicts(delivery(alert(ERRORS, "a"), alert(ERRORS, "b")))
    assert (old.verdict, new.verdict) == (HOLD, ACT)
    assert len(desk.store.runs) == 2


def test_the_incident_outlives_all_but_its_last_alert() -> None:
    desk = _paged("a", "b")
    desk.admit(delivery(resolved(ERRORS, "a"), alert(ERRORS, "b")))
    assert len(desk.store.runs) == 1


def test_the_last_resolve_queues_the_end_of_the_incident_after_the_grace() -> None:
    desk = _paged("a", "b")
    desk.admit(delivery(resolved(ERRORS, "a"), resolved(ERRORS, "b"), at=NOW + 60))
    run = _last_run(desk)
    assert run.request.action == "page_oncall"
    assert run.delay_s == GRACE_S
    assert run.partition == f"page:{_incident(desk).dedup_key}"
    assert len(desk.store.runs) == 2


def test_resolves_in_notifications_of_their_own_queue_one_end() -> None:
    desk = _paged("a", "b")
    desk.admit(delivery(resolved(ERRORS, "a"), at=NOW + 60))
    desk.admit(delivery(resolved(ERRORS, "b"), at=NOW + 61))
    desk.admit(delivery(resolved(ERRORS, "b"), at=NOW + 62))
    assert len(desk.store.runs) == 2


def test_firing_again_within_the_grace_pages_nobody_while_the_end_waits() -> None:
    desk = _paged("a")
    desk.admit(delivery(resolved(ERRORS, "a"), at=NOW + 60))
    (decision,) = desk.verdicts(delivery(alert(ERRORS, "a"), at=NOW + 60 + GRACE_S))
    assert (decision.verdict, decision.guard) == (HOLD, "paged")
    assert len(desk.store.runs) == 2
    assert [record.open for record in desk.store.episodes.values()] == [True]


def test_firing_again_while_the_end_is_under_way_is_told_after_it() -> None:
    desk = _paged("a", "b")
    desk.admit(delivery(resolved(ERRORS, "a"), resolved(ERRORS, "b"), at=NOW + 60))
    _run_begins(desk, _last_run(desk).request.id, NOW + 60 + GRACE_S)
    first, second = desk.verdicts(
        delivery(alert(ERRORS, "a"), alert(ERRORS, "b"), at=NOW + 60 + GRACE_S)
    )
    assert (first.verdict, second.verdict) == (ACT, HOLD)
    assert saw(first, "paged") == "it fires again while its incident is being closed"
    assert _last_run(desk).request.id == first.run
    assert _last_run(desk).partition == f"page:{_incident(desk).dedup_key}"
    assert _last_run(desk).delay_s == 0


def test_one_of_two_that_fires_again_changes_nothing_at_the_pager() -> None:
    desk = _paged("a", "b")
    desk.admit(delivery(resolved(ERRORS, "a"), at=NOW + 60))
    (decision,) = desk.verdicts(delivery(alert(ERRORS, "a"), at=NOW + 70))
    assert decision.verdict is HOLD
    assert len(desk.store.runs) == 1


def test_firing_again_after_the_grace_is_a_new_episode_and_is_paged() -> None:
    desk = _paged("a")
    desk.admit(delivery(resolved(ERRORS, "a"), at=NOW + 60))
    (decision,) = desk.verdicts(delivery(alert(ERRORS, "a"), at=NOW + 61 + GRACE_S))
    assert decision.verdict is ACT
    assert len(desk.store.superseded) == 1


def test_a_page_of_a_resolved_incident_starts_anew() -> None:
    desk = _paged("a")
    desk.admit(delivery(resolved(ERRORS, "a"), at=NOW + 60))
    _incident(desk).paged = False
    (decision,) = desk.verdicts(delivery(alert(ERRORS, "a"), at=NOW + 100))
    assert decision.verdict is ACT


def test_alerts_without_a_group_are_incidents_by_themselves() -> None:
    desk = Desk()
    desk.admit(delivery(alert(ERRORS, "a"), alert(ERRORS, "b"), group={}))
    assert len(desk.store.incidents) == 2


def test_firing_and_resolving_in_one_batch_queues_the_page_and_its_end() -> None:
    desk = Desk()
    desk.admit(delivery(alert(ERRORS)), delivery(resolved(ERRORS)))
    page, end = desk.store.runs.values()
    assert (page.delay_s, end.delay_s) == (0.0, GRACE_S)
    assert page.partition == end.partition
