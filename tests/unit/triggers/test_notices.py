"""People hear once of alerts that lead to nothing: that they were held, or could not be read."""

from __future__ import annotations

from service.domain.alerts.alert import Quarantined
from service.domain.decisions.requests import HELD, QUARANTINED
from service.ports.admission import NewRun
from tests.fakes.alerts import CPU, MEMORY, NOW, TRAFFIC, alert, delivery
from tests.fakes.journal import Desk

UNTIL = NOW + 600


def notices(desk: Desk) -> list[NewRun]:
    return [run for run in desk.store.runs.values() if run.request.origin.by in (HELD, QUARANTINED)]


def in_cooldown() -> Desk:
    """The target api is in cooldown after its first run."""
    desk = Desk()
    desk.admit(delivery(alert(CPU)))
    desk.store.rest("api.out", UNTIL)
    return desk


def bad(reason: str = "The label 'a' in `labels` is null.", index: int = 0) -> Quarantined:
    return Quarantined(index, reason, "{}")


def test_a_hold_by_a_cooldown_is_told_in_the_run_that_holds_until_when_and_who_asked() -> None:
    desk = in_cooldown()
    desk.admit(delivery(alert(TRAFFIC), at=NOW + 60))
    (notice,) = notices(desk)
    request = notice.request
    assert (request.subject, request.cooldown_s, request.on) == (
        "api.out.1",
        UNTIL - NOW - 60,
        None,
    )
    assert request.origin.why == (
        "Request Rate. Rule traffic asks for horizontal_scale, which the cooldown of api.out "
        "holds. It is over in 9 min, at 20:36 UTC."
    )
    assert len(request.origin.alerts) == 1


def test_a_hold_is_told_once_for_each_cooldown_whoever_is_held() -> None:
    desk = in_cooldown()
    desk.admit(delivery(alert(TRAFFIC), alert(CPU), at=NOW + 60))
    desk.store.rest("held.api.out", UNTIL)
    desk.admit(delivery(alert(TRAFFIC, "b"), at=NOW + 120))
    assert len(notices(desk)) == 1
    desk.admit(delivery(alert(CPU), at=UNTIL))
    desk.store.rest("api.out", UNTIL + 600)
    desk.admit(delivery(alert(CPU), at=UNTIL + 60))
    assert [each.request.subject for each in notices(desk)] == ["api.out.1", "api.out.2"]


def test_a_hold_by_a_run_under_way_is_not_told_its_message_tells_it() -> None:
    desk = Desk()
    desk.admit(delivery(alert(CPU), alert(TRAFFIC)))
    desk.admit(delivery(alert(CPU), at=NOW + 30))
    assert notices(desk) == []


def test_the_holds_of_two_targets_are_two_notices() -> None:
    desk = in_cooldown()
    desk.admit(delivery(alert(MEMORY)))
    desk.store.rest("worker-vm.up", UNTIL)
    desk.admit(delivery(alert(CPU), alert(MEMORY), at=NOW + 60))
    assert sorted(each.request.subject for each in notices(desk)) == ["api.out.1", "worker-vm.up.1"]


def test_a_replay_that_is_held_tells_nobody() -> None:
    desk = in_cooldown()
    desk.admit(delivery(alert(CPU), at=NOW + 60, replay=True))
    assert notices(desk) == []


def test_alerts_that_cannot_be_read_are_told_with_their_reasons() -> None:
    desk = Desk()
    desk.admit(delivery(alert(CPU), quarantined=[bad(index=4)]))
    (notice,) = notices(desk)
    assert notice.request.subject == "alertmanager"
    assert notice.request.origin.why == (
        "1 of 2 alerts in a notification from alertmanager could not be read, and nothing follows "
        "from it:\n5: The label 'a' in `labels` is null."
    )


def test_they_are_told_also_when_nothing_of_the_notification_could_be_read() -> None:
    desk = Desk()
    desk.admit(delivery(quarantined=[bad()]))
    assert len(notices(desk)) == 1


def test_they_are_told_once_an_hour_for_each_reason() -> None:
    desk = Desk()
    for minute in range(3):
        at = NOW + 60 * minute
        desk.admit(delivery(quarantined=[bad(), bad("`status` is null.")], at=at))
        for notice in notices(desk):
            desk.store.rest(notice.request.claim, NOW + 3600)
    assert len(notices(desk)) == 2
    desk.admit(delivery(quarantined=[bad()], at=NOW + 3600))
    assert len(notices(desk)) == 3


def test_of_many_the_first_three_are_shown_and_the_rest_is_counted() -> None:
    desk = Desk()
    desk.admit(delivery(quarantined=[bad(index=number) for number in range(9)]))
    (notice,) = notices(desk)
    assert notice.request.origin.why.startswith("9 of 9 alerts")
    assert notice.request.origin.why.endswith("3: The label 'a' in `labels` is null.\n… and 6 more")
