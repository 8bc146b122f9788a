"""What the sender, the metrics and the log are told of a notification."""

from __future__ import annotations

import json
from dataclasses import replace

from structlog.testing import capture_logs

from service import telemetry
from service.domain.alerts.alert import AlertStatus, Quarantined
from service.domain.decisions.decision import Check, Decision, Verdict
from service.domain.decisions.decision_json import decision_json
from service.ports.admission import Receipt, Verdicted
from service.web.receipts import count, receipt_body
from tests.fakes.alerts import alert, notification

HELD = Decision(
    verdict=Verdict.HOLD,
    rule="high-cpu",
    action="horizontal_scale",
    target="api",
    direction="out",
    reason='cooldown of "api.out"',
    guard="cooldown",
    checks=(Check("cooldown", passed=False, saw="cooldown"),),
    until=1_767_260_000.0,
)
ACTED = replace(HELD, verdict=Verdict.ACT, until=None, run="api.out.1")


def test_each_alert_is_answered_with_its_own_decision_also_where_several_share_one() -> None:
    verdicts = tuple(
        Verdicted(f"a-{number}", decision)
        for number, decision in enumerate((HELD, ACTED, HELD, replace(HELD, rule="traffic")))
    )
    bad = tuple(Quarantined(number, f"reason {number}", "{}") for number in range(300))
    answered = json.loads(receipt_body(Receipt("n-1", verdicts, bad)))
    assert answered == {
        "notification": "n-1",
        "decisions": [
            {"alert": each.alert, **decision_json(each.decision, checks=False)} for each in verdicts
        ],
        "quarantined": [{"index": each.index, "reason": each.reason} for each in bad],
    }


def test_a_notification_of_nothing_is_answered_with_empty_lists() -> None:
    answered = json.loads(receipt_body(Receipt("n-1", (), ())))
    assert answered == {"notification": "n-1", "decisions": [], "quarantined": []}


def test_every_alert_and_every_decision_is_counted_also_where_several_share_one() -> None:
    def counted() -> list[float]:
        return [
            telemetry.ALERTS.labels("alertmanager", "firing")._value.get(),
            telemetry.ALERTS.labels("alertmanager", "resolved")._value.get(),
            telemetry.DECISIONS.labels(
                "high-cpu", "horizontal_scale", "hold", "cooldown"
            )._value.get(),
            telemetry.DECISIONS.labels(
                "high-cpu", "horizontal_scale", "act", "cooldown"
            )._value.get(),
        ]

    told = notification(
        alert(), alert(fingerprint="2"), alert(fingerprint="3", status=AlertStatus.RESOLVED)
    )
    same = replace(HELD)
    verdicts = tuple(Verdicted("a", decision) for decision in (HELD, ACTED, HELD, same))
    before = counted()
    count(told, Receipt("n-1", verdicts, ()))
    assert [after - was for after, was in zip(counted(), before, strict=True)] == [2, 1, 3, 1]


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
