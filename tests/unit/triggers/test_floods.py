"""More than ten new incidents a minute from one sender become one incident, and none is lost."""

from __future__ import annotations

from service.domain.alerts.floods import FLOOD, UPDATE_S, is_flood_key
from service.domain.decisions.decision import Decision, Verdict
from service.ports.admission import Delivery, IncidentRecord, NewRun
from tests.fakes.alerts import ERRORS, GRACE_S, NOW, alert, delivery, resolved
from tests.fakes.journal import Desk, saw

ACT, HOLD = Verdict.ACT, Verdict.HOLD
MINUTE = 60.0


def group(
    number: int, at: float = NOW, credential: str = "prod", *, fires: bool = True
) -> Delivery:
    """One alert in a group of its own."""
    make = alert if fires else resolved
    one = make(ERRORS, f"{number}")
    return delivery(one, group={"n": f"{number}"}, credential=credential, at=at)


def fire(desk: Desk, numbers: range, at: float = NOW, credential: str = "prod") -> list[Decision]:
    return desk.verdicts(*(group(number, at, credential) for number in numbers), now=at)


def floods(desk: Desk) -> list[IncidentRecord]:
    return [each for key, each in desk.store.incidents.items() if is_flood_key(key)]


def own(desk: Desk) -> int:
    return len(desk.store.incidents) - len(floods(desk))


def flood_runs(desk: Desk) -> list[NewRun]:
    return [run for run in desk.store.runs.values() if is_flood_key(run.request.subject)]


def claims_without_a_run(desk: Desk) -> list[str]:
    cooldowns = desk.store.cooldowns
    return [key for key, each in cooldowns.items() if each.run not in desk.store.runs]


def page(desk: Desk, now: float = NOW) -> None:
    """A worker that pages all that is queued."""
    for run in desk.store.runs.values():
        if desk.store.cooldowns[run.request.claim].busy:
            desk.store.rest(run.request.claim, now)
    for incident in desk.store.incidents.values():
        incident.paged = True


def test_ten_new_incidents_within_a_minute_are_paged_one_by_one() -> None:
    desk = Desk()
    decisions = fire(desk, range(10))
    assert {each.reason.partition(":")[0] for each in decisions} == {"page the person on call"}
    assert (own(desk), floods(desk)) == (10, [])


def test_those_beyond_are_one_incident_with_all_of_their_alerts() -> None:
    desk = Desk()
    decisions = fire(desk, range(25))
    assert {each.verdict for each in decisions} == {ACT}
    (flood,) = floods(desk)
    assert (own(desk), len(flood.members)) == (10, 15)
    (run,) = flood_runs(desk)
    assert {each.run for each in decisions[10:]} == {run.request.id}
    assert len(run.request.origin.alerts) == 15
    assert (run.request.origin.by, run.request.severity) == (FLOOD, "critical")
    assert claims_without_a_run(desk) == []
    assert (flood.severity, flood.rule, flood.group_labels) == (
        "critical",
        FLOOD,
        {"sender": "prod"},
    )


def test_each_decision_says_that_its_alert_is_told_as_part_of_the_flood() -> None:
    desk = Desk()
    *_, last = fire(desk, range(11))
    (flood,) = floods(desk)
    assert last.rule == "errors"
    assert last.reason == (
        f"page the person on call, as part of a flood of incidents from prod: run {last.run}"
    )
    assert saw(last, "flood") == (
        "more than 10 new incidents came from prod within a minute: it is told as part of "
        f"incident {flood.dedup_key}"
    )


def test_incidents_are_counted_over_notifications() -> None:
    desk = Desk()
    decisions = [desk.verdicts(group(number, NOW + number))[0] for number in range(12)]
    assert ["flood" in each.reason for each in decisions] == [False] * 10 + [True] * 2


def test_the_alerts_of_one_group_are_one_incident_however_many_they_are() -> None:
    desk = Desk()
    for number in range(40):
        desk.admit(delivery(alert(ERRORS, f"{number}"), credential="prod", at=NOW))
        page(desk)
    assert (own(desk), floods(desk)) == (1, [])


def test_a_group_whose_page_waits_is_not_counted_again() -> None:
    desk = Desk()
    for number in range(40):
        desk.admit(delivery(alert(ERRORS, f"{number}"), credential="prod", at=NOW))
    assert (own(desk), floods(desk)) == (1, [])


def test_senders_are_counted_by_themselves() -> None:
    desk = Desk()
    fire(desk, range(10), credential="prod")
    fire(desk, range(10, 20), credential="dev")
    fire(desk, range(20, 30), credential="")
    assert floods(desk) == []
    fire(desk, range(30, 31), credential="")
    assert [each.group_labels for each in floods(desk)] == [{"sender": "alertmanager"}]


def test_the_next_minute_pages_ten_more_by_themselves_and_the_flood_goes_on() -> None:
    desk = Desk()
    fire(desk, range(12))
    fire(desk, range(12, 24), at=NOW + MINUTE)
    (flood,) = floods(desk)
    assert (own(desk), len(flood.members)) == (20, 4)


def test_after_a_minute_without_a_flood_the_next_one_is_an_incident_of_its_own() -> None:
    desk = Desk()
    fire(desk, range(12))
    fire(desk, range(12, 24), at=NOW + 2 * MINUTE)
    assert [len(each.members) for each in floods(desk)] == [2, 2]


def test_a_flood_is_paged_at_once_and_its_count_at_most_once_a_minute() -> None:
    desk = Desk()
    fire(desk, range(12))
    page(desk)
    fire(desk, range(12, 14))
    fire(desk, range(14, 16))
    assert [run.delay_s for run in flood_runs(desk)] == [0.0, UPDATE_S]
    assert len(flood_runs(desk)[-1].request.origin.alerts) == 2
    assert len(floods(desk)[0].members) == 6


def test_a_repeat_of_what_a_flood_tells_is_held_in_a_later_minute_too() -> None:
    desk = Desk()
    fire(desk, range(12))
    page(desk)
    (decision,) = fire(desk, range(11, 12), at=NOW + 900)
    assert (decision.verdict, decision.guard) == (HOLD, "paged")
    assert saw(decision, "paged") == f"incident {floods(desk)[0].dedup_key} is open"
    assert own(desk) == 10


def test_a_repeat_while_the_page_of_the_flood_waits_joins_it() -> None:
    desk = Desk()
    fire(desk, range(12))
    (decision,) = fire(desk, range(11, 12), at=NOW + MINUTE)
    assert (decision.verdict, decision.run) == (ACT, flood_runs(desk)[0].request.id)
    assert "as part of a flood" in decision.reason
    assert len(flood_runs(desk)) == 1


def test_a_flood_is_over_when_its_last_alert_has_resolved() -> None:
    desk = Desk()
    fire(desk, range(12))
    page(desk)
    desk.admit(group(10, NOW + 60, fires=False))
    assert len(flood_runs(desk)) == 1
    desk.admit(group(11, NOW + 61, fires=False))
    end = flood_runs(desk)[-1]
    assert (end.delay_s, end.partition) == (GRACE_S, f"page:{floods(desk)[0].dedup_key}")


def test_firing_again_while_a_flood_is_being_closed_is_told_after_it() -> None:
    desk = Desk()
    fire(desk, range(11))
    page(desk)
    desk.admit(group(10, NOW + 60, fires=False))
    desk.store.rest(flood_runs(desk)[-1].request.claim, NOW + 60 + GRACE_S)
    (decision,) = fire(desk, range(10, 11), at=NOW + 60 + GRACE_S)
    assert decision.verdict is ACT
    assert decision.run == flood_runs(desk)[-1].request.id


def test_an_incident_that_was_closed_and_fires_again_is_a_new_one() -> None:
    desk = Desk()
    fire(desk, range(10))
    page(desk)
    for number in range(10):
        desk.admit(group(number, NOW + 1, fires=False))
    for incident in desk.store.incidents.values():
        incident.paged = False
    again = fire(desk, range(11), at=NOW + 600)
    assert ["flood" in each.reason for each in again] == [False] * 10 + [True]


def test_an_incident_of_before_that_goes_into_a_flood_leaves_no_page_behind_that_waits() -> None:
    """Else the next alert of its group would count as one whose page waits."""
    desk = Desk()
    fire(desk, range(1))
    page(desk)
    desk.admit(group(0, NOW + 1, fires=False))
    for incident in desk.store.incidents.values():
        incident.paged = False
    fire(desk, range(1, 11), at=NOW + 600)
    (decision,) = fire(desk, range(1), at=NOW + 600)
    assert "flood" in decision.reason
    sibling = delivery(alert(ERRORS, "sibling"), group={"n": "0"}, credential="prod", at=NOW + 601)
    (second,) = desk.verdicts(sibling)
    assert "flood" in second.reason


def test_an_alert_that_was_flooded_and_fires_anew_is_counted_anew() -> None:
    desk = Desk()
    fire(desk, range(11))
    page(desk)
    desk.admit(group(10, NOW + 60, fires=False))
    for incident in floods(desk):
        incident.paged = False
    (decision,) = fire(desk, range(10, 11), at=NOW + 900)
    assert decision.reason.startswith("page the person on call: run ")
    assert own(desk) == 11
    assert [incident.members for incident in floods(desk)] == [set()]
    (repeated,) = fire(desk, range(10, 11), at=NOW + 901)
    assert repeated.run == decision.run


def test_a_batch_that_is_not_kept_counts_nothing() -> None:
    desk = Desk()
    desk.journal.conflicts = 3
    fire(desk, range(10))
    assert floods(desk) == []
