"""What of a notification goes into the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from service.domain.alerts.alert import Quarantined
from service.ports.admission import Receipt
from service.web.receipts import count
from tests.fakes.alerts import alert, notification


def test_alerts_that_could_not_be_read_are_logged_with_their_first_reasons() -> None:
    bad = tuple(Quarantined(number, f"reason {number}", "{}") for number in range(5))
    with capture_logs() as logged:
        count(notification(quarantined=bad), Receipt("n-1", (), bad))
    (line,) = logged
    assert (line["event"], line["log_level"], line["source"], line["notification"]) == (
        "alerts_not_read",
        "warning",
        "alertmanager",
        "n-1",
    )
    assert (line["count"], line["reasons"]) == (5, ["reason 0", "reason 1", "reason 2"])


def test_a_notification_that_could_be_read_whole_logs_nothing() -> None:
    with capture_logs() as logged:
        count(notification(alert()), Receipt("n-1", (), ()))
    assert logged == []
