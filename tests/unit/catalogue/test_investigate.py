from __future__ import annotations

import pytest

from service.domain.alerts.alert import AlertKind
from service.domain.decisions.decision_tree import Question
from service.domain.durations import moment
from service.domain.errors import FailureKind
from service.messages.investigate import (
    EXPRESSIONS,
    NO_PROMETHEUS,
    investigate,
    path_works,
    take_readings,
)
from service.ports import Message
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.telling import FakeMetrics
from tests.unit.test_incident import alert, incident

SLOW = alert(
    "Slow Response Time",
    labels={"service": "api", "quote": '<b>"{{ x }}"</b>'},
    annotations={"summary": "p95 is 740 ms"},
    values={"A": 740.0},
)


def message(metrics: FakeMetrics | None = None, **values: float) -> Message:
    answered = metrics or FakeMetrics({EXPRESSIONS[Question[k]]: v for k, v in values.items()})
    return investigate(incident(SLOW), {"Target": "api"}, answered, FakeClock())


def test_the_message_says_what_is_known_and_what_to_do_first() -> None:
    told = message(CPU=30, MEMORY=91, DATABASE=50, CACHE=95)
    assert told.title == "Investigate: Slow Response Time"
    assert told.text.splitlines()[:3] == [
        "p95 is 740 ms",
        "Rule errors only tells of it, so nothing was changed.",
        (
            "Do first: scale up: take the next size (vertical_scale). "
            "Because: Memory > 80 %? yes: 91 %."
        ),
    ]
    assert "Memory > 80 %? yes: 91 %" in told.text
    fields = dict(told.fields)
    assert 'quote = <b>"{{ x }}"</b>' in fields["Slow Response Time"]
    assert fields["Annotations"] == "summary = p95 is 740 ms"
    assert fields["Values"] == "A = 740.0"
    assert fields["Target"] == "api"
    assert "rule errors" in told.context


def test_without_prometheus_it_says_so() -> None:
    told = investigate(incident(SLOW), {}, None, FakeClock())
    assert told.text.count(NO_PROMETHEUS) == 1
    assert "Do first" not in told.text
    assert "network" not in told.text


def test_a_prometheus_without_data_is_not_taken_for_zero() -> None:
    told = message()
    assert "CPU: not known. Prometheus has no data for avg(cpu_usage)." in told.text
    assert "Nothing could be measured" in told.text
    assert "check the network" not in told.text


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_prometheus_that_fails_costs_a_reading_and_not_the_message(kind: FailureKind) -> None:
    metrics = FakeMetrics({"avg(cpu_usage)": vendor_error(kind, "it answered 500.")})
    clock = FakeClock()
    readings = take_readings(metrics, clock)
    assert readings[Question.CPU].unread == "it answered 500."
    assert sum(clock.slept) <= 10


def test_lost_data_is_told_as_such_with_the_original_rules_name() -> None:
    lost = alert("High CPU Usage", kind=AlertKind.NO_DATA)
    told = investigate(incident(lost), {}, None, FakeClock())
    assert told.title == "No data: High CPU Usage"
    assert "Nothing is changed on that" in told.text


def test_an_episode_that_began_measured_is_told_as_no_data_once_it_has_none() -> None:
    told = investigate(incident(SLOW, rule="no-data"), {}, None, FakeClock())
    assert told.title == "No data: Slow Response Time"
    assert "Nothing is changed on that" in told.text


def test_a_test_is_told_as_a_path_that_works() -> None:
    told = path_works(incident(alert("TestAlert"), rule="test"))
    assert told.title == "Test: the path from alertmanager works"
    assert "sent a test notification (TestAlert)" in told.text


def test_a_rule_that_cannot_be_evaluated_is_told_as_such() -> None:
    lost = alert("High CPU Usage", kind=AlertKind.DATASOURCE_ERROR)
    told = investigate(incident(lost), {}, None, FakeClock())
    assert told.title == "Cannot be evaluated: High CPU Usage"


def test_of_many_alerts_three_are_shown_and_the_rest_counted() -> None:
    many = incident(*(alert(f"alert {n}") for n in range(7)), count=7)
    told = investigate(many, {}, None, FakeClock())
    assert dict(told.fields)["Besides"] == "4 more of the same group"
    assert "alert 3" not in dict(told.fields)
    assert "7 alerts from alertmanager" in told.context


def test_an_alert_without_anything_is_still_told() -> None:
    told = investigate(incident(alert("")), {}, None, FakeClock())
    assert told.title == "Investigate: an alert without a name"
    assert dict(told.fields)["Alert without a name"] == "none"


def test_where_to_read_on_is_told_as_links() -> None:
    one = alert(annotations={"runbook_url": "https://wiki.example/1"})
    told = investigate(incident(one), {}, None, FakeClock())
    assert told.links == (("https://wiki.example/1", "High Error Rate: runbook_url"),)
    assert "Begin with its own runbook: the link is below." in told.text


def test_a_full_disk_is_told_with_what_is_known_and_no_question_of_the_tree() -> None:
    disk = alert(
        "HostOutOfDiskSpace",
        labels={"instance": "db-1", "mountpoint": "/var"},
        annotations={"summary": "4 % left on /var"},
        generator_url="https://prom.example/graph?g0",
    )
    metrics = FakeMetrics(dict.fromkeys(EXPRESSIONS.values(), 99.0))
    known = incident(disk, rule="unmatched", run="unmatched-1.notify.1", episodes=("a-1",))
    clock = FakeClock()
    told = investigate(known, {}, metrics, clock, quiet_s=3_600)
    again = moment(clock.time() + 3_600, clock.time())
    assert told.text == (
        "4 % left on /var\n"
        "No rule matches it, so nothing was changed.\n"
        "So that it is acted on, write a rule for it and try it with `runbookd check`. So that it "
        "is not told again, silence it at its sender, or give it a rule with action ignore.\n"
        "Nothing was changed, so there is nothing to stop, to undo or to pay.\n"
        "See how it was decided: `runbookd explain unmatched-1.notify.1`.\n"
        f"It is told again {again}, at the earliest, if it still fires."
    )
    assert "mountpoint = /var" in dict(told.fields)["HostOutOfDiskSpace"]
    assert told.links[0][0] == "https://prom.example/graph?g0"
    assert told.context == (
        "rule unmatched · 1 alert from alertmanager · run unmatched-1.notify.1 · alert a-1"
    )
