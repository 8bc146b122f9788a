"""No measured value, no change: what an alert without one, an error or a test may lead to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.alerts.alert import AlertKind
from service.domain.decisions.decision import Decision, Verdict
from service.ports.admission import Delivery
from tests.fakes.alerts import CPU, ERRORS, MEMORY, NOW, OTHER, SLOW, alert, delivery, resolved
from tests.fakes.journal import Desk
from tests.unit.intake.samples import parse_saved

ACT, HOLD, REJECT = Verdict.ACT, Verdict.HOLD, Verdict.REJECT
UNMEASURED = [AlertKind.NO_DATA, AlertKind.DATASOURCE_ERROR]


def saved(name: str, alertname: str | None = None) -> Delivery:
    """A saved payload as it was delivered, its alert under another name where one is given."""
    notification = parse_saved(name)
    if alertname is not None:
        (one,) = notification.alerts
        labels = {**one.labels, "alertname": alertname}
        notification = replace(notification, alerts=(replace(one, name=alertname, labels=labels),))
    return Delivery(notification, NOW)


def said(decisions: list[Decision]) -> list[tuple[str, Verdict, str]]:
    return [(each.rule, each.verdict, each.guard) for each in decisions]


def actions(desk: Desk) -> list[str]:
    return [run.request.action for run in desk.store.runs.values()]


@pytest.mark.parametrize(
    ("payload", "alertname", "rule"),
    [
        ("grafana-legacy-nothing-measured", None, "memory"),
        ("grafana-legacy-no-data", None, "memory"),
        ("grafana-values-null", CPU, "high-cpu"),
        ("grafana-error-alerting", CPU, "high-cpu"),
        ("grafana-no-data", None, "high-cpu"),
        ("grafana-datasource-error", None, "high-cpu"),
        ("grafana-keep-last", CPU, "high-cpu"),
    ],
)
def test_an_alert_without_a_measured_value_holds_the_change_and_is_told(
    payload: str, alertname: str | None, rule: str
) -> None:
    desk = Desk()
    decisions = desk.verdicts(saved(payload, alertname))
    assert said(decisions) == [(rule, HOLD, "unmeasured"), ("no-data", ACT, "cooldown")]
    assert "no value was measured" in decisions[0].reason
    assert actions(desk) == ["investigate"]


@pytest.mark.parametrize("payload", ["grafana-one-nan", "grafana-firing"])
def test_an_alert_of_which_one_value_was_measured_may_change_something(payload: str) -> None:
    (decision,) = Desk().verdicts(saved(payload, CPU))
    assert (decision.rule, decision.verdict) == ("high-cpu", ACT)


@pytest.mark.parametrize("kind", UNMEASURED)
def test_an_alert_without_data_pages_where_its_rule_pages(kind: AlertKind) -> None:
    desk = Desk()
    assert said(desk.verdicts(delivery(alert(ERRORS, kind=kind)))) == [("errors", ACT, "paged")]
    assert actions(desk) == ["page_oncall"]


@pytest.mark.parametrize("kind", UNMEASURED)
def test_an_alert_without_data_is_told_by_the_rule_that_tells_of_it(kind: AlertKind) -> None:
    assert said(Desk().verdicts(delivery(alert(SLOW, kind=kind)))) == [("slow", ACT, "cooldown")]
    assert said(Desk().verdicts(delivery(alert(OTHER, kind=kind)))) == [
        ("no-data", ACT, "cooldown")
    ]


def test_the_rules_of_the_alert_itself_apply_where_grafana_replaced_its_name() -> None:
    stand_in = alert(
        ERRORS,
        kind=AlertKind.NO_DATA,
        labels={"alertname": "DatasourceNoData", "rulename": ERRORS},
    )
    assert said(Desk().verdicts(delivery(stand_in))) == [("errors", ACT, "paged")]


def test_a_held_change_takes_no_claim_so_that_a_measured_alert_acts_at_once() -> None:
    desk = Desk()
    desk.verdicts(delivery(alert(MEMORY, kind=AlertKind.NO_DATA)))
    (decision,) = desk.verdicts(delivery(alert(MEMORY)))
    assert (decision.verdict, decision.run) == (ACT, "worker-vm.up.1")


def test_an_alert_that_loses_its_data_ends_like_any_other() -> None:
    desk = Desk()
    desk.verdicts(delivery(alert(MEMORY, kind=AlertKind.NO_DATA)))
    assert said(desk.verdicts(delivery(resolved(MEMORY)))) == [("memory", HOLD, "resolved")]
    assert [record.open for record in desk.store.episodes.values()] == [False]


@pytest.mark.parametrize(
    "payload",
    ["grafana-test-button", "grafana-test-button-custom-labels", "grafana-legacy-test-button"],
)
def test_a_test_is_shown_in_slack_and_never_acted_on(payload: str) -> None:
    desk = Desk()
    (decision,) = desk.verdicts(saved(payload))
    assert (decision.verdict, decision.rule, decision.guard) == (REJECT, "test", "test")
    (run,) = desk.store.runs.values()
    assert (run.request.id, run.request.action) == (decision.run, "investigate")
    assert (run.request.origin.by, run.request.claim) == ("test", "test-main.notify")
    assert [record.open for record in desk.store.episodes.values()] == [False]


def test_tests_of_one_source_are_one_message_an_hour() -> None:
    desk = Desk()
    for payload in ("grafana-test-button", "grafana-test-button-custom-labels"):
        desk.verdicts(saved(payload))
    (run,) = desk.store.runs.values()
    assert run.request.cooldown_s == 3600.0
    desk.store.rest(run.request.claim, NOW + 3600.0)
    (decision,) = desk.verdicts(saved("grafana-test-button"))
    assert (decision.verdict, decision.run) == (REJECT, None)
    assert decision.reason.endswith(
        "Slack was told of a test by run test-main.notify.1, or is being told"
    )


def test_a_test_with_the_labels_of_a_real_alert_leaves_its_episode_alone() -> None:
    desk = Desk()
    real = alert(CPU)
    desk.verdicts(delivery(real))
    desk.verdicts(delivery(resolved(CPU)))
    desk.verdicts(delivery(replace(real, kind=AlertKind.TEST)))
    assert [record.open for record in desk.store.episodes.values()] == [False, False]
    desk.verdicts(delivery(real))
    desk.verdicts(delivery(replace(real, kind=AlertKind.TEST)))
    desk.verdicts(delivery(resolved(CPU)))
    assert not any(record.open for record in desk.store.episodes.values())
