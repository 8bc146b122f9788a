"""A notification of many alerts in parts."""

from __future__ import annotations

import pytest

from service.domain.alerts.alert import Quarantined
from service.ports.admission import Receipt
from service.web.large import PartSize, joined, part_of, size_of
from tests.fakes.alerts import alert, delivery


def test_the_parts_hold_every_alert_once_and_in_order() -> None:
    whole = delivery(*(alert(instance=f"{number}") for number in range(7)))
    parts = [part_of(whole, start, 3).notification for start in (0, 3, 6)]
    assert [len(part.alerts) for part in parts] == [3, 3, 1]
    assert tuple(each for part in parts for each in part.alerts) == whole.notification.alerts
    assert parts[2].notes[-1] == ("Alerts 7 to 7 of a notification of 7, which was taken in parts.")
    assert {part.group_labels["alertname"] for part in parts} == {
        whole.notification.group_labels["alertname"]
    }


def test_an_alert_that_is_quarantined_counts_and_is_in_one_part_only() -> None:
    bad = [Quarantined(number, "no labels", "{}") for number in range(5)]
    whole = delivery(alert(instance="a"), alert(instance="b"), quarantined=bad)
    parts = [part_of(whole, start, 3) for start in (0, 3, 6)]
    assert [size_of(part) for part in parts] == [3, 3, 1]
    assert [len(part.notification.alerts) for part in parts] == [2, 0, 0]
    assert [each for part in parts for each in part.notification.quarantined] == bad
    assert parts[2].notification.notes[-1].startswith("Alerts 7 to 7 of a notification of 7,")


@pytest.mark.parametrize(
    ("alerts", "took_s", "following"),
    [
        (128, 0.03, 128),
        (256, 0.06, 128),
        (128, 0.0001, 256),
        (128, 10.0, 64),
        (400, 0.01, 512),
    ],
)
def test_a_part_is_what_takes_thirty_milliseconds_within_bounds(
    alerts: int, took_s: float, following: int
) -> None:
    assert PartSize(alerts=alerts).after(alerts, took_s).alerts == following


def test_the_receipt_of_all_parts_has_the_first_ones_id() -> None:
    assert joined([Receipt("n-1", (), ()), Receipt("n-2", (), ())]).delivery == "n-1"


def test_the_receipt_of_all_parts_names_every_quarantined_alert() -> None:
    one, two = Quarantined(0, "no labels", "{}"), Quarantined(1, "no labels", "{}")
    assert joined([Receipt("n-1", (), (one,)), Receipt("n-2", (), (two,))]).quarantined == (
        one,
        two,
    )
