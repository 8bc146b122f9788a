"""A notification of many alerts in parts."""

from __future__ import annotations

import pytest

from service.ports.admission import Receipt
from service.web.large import PartSize, joined, part_of
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
