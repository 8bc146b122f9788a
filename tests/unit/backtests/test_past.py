"""What senders said, in order, from what is on record of it."""

from __future__ import annotations

from dataclasses import replace

from service.backtest.past import in_order, together, told_of
from tests.fakes.alerts import NOW
from tests.unit.backtests.stage import HOUR, MINUTE, fired

FOREVER = NOW + 1_000 * HOUR


def test_repeats_lie_evenly_between_the_first_notification_and_the_end() -> None:
    past = fired(1, 0, HOUR, repeats=2)
    assert [(each.at - NOW, each.firing) for each in told_of(past, FOREVER)] == [
        (0, True),
        (20 * MINUTE, True),
        (40 * MINUTE, True),
        (60 * MINUTE, False),
    ]


def test_of_an_alert_that_still_fires_the_last_repeat_is_when_it_was_last_seen() -> None:
    past = fired(1, 0, None, repeats=2, last_s=HOUR)
    assert [each.at - NOW for each in told_of(past, FOREVER)] == [0, 30 * MINUTE, HOUR]


def test_a_resolve_of_what_had_not_fired_stays_a_resolve() -> None:
    past = replace(fired(1, 0, HOUR), resolved_at=NOW, last_seen=NOW, seen=1)
    assert [(each.at, each.firing) for each in told_of(past, FOREVER)] == [(NOW, False)]


def test_what_was_told_after_the_end_of_the_time_is_left_out() -> None:
    assert [each.at for each in told_of(fired(1, 0, HOUR, repeats=1), NOW + 30 * MINUTE)] == [NOW]


def test_the_end_of_an_alert_names_why_it_ended() -> None:
    past = replace(fired(1, 0, HOUR), ended_because="Paused")
    first, end = (each.alert for each in told_of(past, FOREVER))
    assert first.annotations == {}
    assert end.annotations == {"grafana_state_reason": "Paused"}
    assert first.firing
    assert not end.firing


def test_notifications_come_in_order_though_the_ids_of_their_alerts_do_not() -> None:
    later, sooner = fired(1, 3 * MINUTE, HOUR), fired(2, 0, 2 * HOUR, instance="b")
    times = [each.at - NOW for each in in_order([later, sooner], FOREVER)]
    assert times == [0, 3 * MINUTE, HOUR + 3 * MINUTE, 2 * HOUR]


def test_alerts_that_began_in_one_notification_come_in_one_each_time() -> None:
    one = fired(1, 0, HOUR, repeats=1)
    other = replace(fired(2, 0, HOUR, repeats=1, instance="b"), delivery=one.delivery)
    alone = fired(3, 0.5, HOUR, instance="c")
    batches = list(together(in_order([one, other, alone], FOREVER)))
    assert [each.pasts for each in batches] == [
        ((one.id, other.id), (alone.id,)),  # half a second apart: admitted together
        ((one.id, other.id),),
        ((one.id, other.id), (alone.id,)),
    ]
    first, second = batches[0].deliveries
    assert [each.labels["instance"] for each in first.notification.alerts] == ["a", "b"]
    assert (first.received_at, second.received_at) == (NOW, NOW + 0.5)
    assert batches[0].at == NOW + 0.5
