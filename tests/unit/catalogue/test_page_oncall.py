from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from service.domain.alerts.alert import AlertKind
from service.domain.alerts.floods import FLOOD
from service.messages.page_oncall import page_for
from tests.unit.test_incident import alert, incident


def test_the_page_tells_the_rule_the_group_and_what_fires() -> None:
    one = alert(
        labels={"severity": "critical", "service": "api"},
        annotations={"summary": "2 % of requests fail"},
        starts_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    page = page_for(incident(one, group_labels={"cluster": "a", "alertname": "High Error Rate"}))
    assert page.dedup_key == "runbookd/k"
    assert page.summary == "High Error Rate: 2 % of requests fail"
    assert (page.source, page.severity, page.component) == ("alertmanager", "critical", "api")
    assert page.group == "alertname=High Error Rate, cluster=a"
    assert page.details["rule"] == "errors"
    assert page.details["alerts"][0]["since"] == "2026-01-02T00:00:00+00:00"


def test_a_page_about_alerts_without_data_says_so() -> None:
    lost = alert("High Error Rate", kind=AlertKind.NO_DATA)
    page = page_for(incident(lost))
    assert page.summary == "No data: High Error Rate"
    assert page.details["alerts"][0]["measured"] is False
    assert "No data" not in page_for(incident(lost, alert("b"))).summary


def test_the_page_says_its_ids_what_to_type_and_where_to_read_on() -> None:
    one = alert(generator_url="https://prom.example/graph?g0")
    page = page_for(
        incident(
            one,
            run="errors-1.notify.3",
            episodes=("a-1",),
            links=(("https://am.example/#/silences/new", "High Error Rate: silence"),),
        )
    )
    assert page.details["what to type"] == "runbookd explain errors-1.notify.3"
    assert (page.details["run"], page.details["alert ids"]) == ("errors-1.notify.3", ["a-1"])
    assert [href for href, _ in page.links] == [
        "https://prom.example/graph?g0",
        "https://am.example/#/silences/new",
    ]


def test_a_page_for_an_alert_that_could_not_be_stored_names_no_command() -> None:
    """It would find nothing."""
    assert "what to type" not in page_for(incident(alert())).details


def test_many_alerts_are_counted_and_the_first_few_named() -> None:
    page = page_for(incident(*(alert(f"alert {n}") for n in range(9)), count=4000))
    assert page.summary == "4000 alerts: alert 0, alert 1, alert 2 and 6 more"
    assert len(page.details["alerts"]) == 5
    assert page.details["not shown"] == 3995


def test_a_long_summary_fits_the_vendors_limit() -> None:
    page = page_for(incident(alert("x" * 5000)))
    assert len(page.summary) == 1024
    assert page.summary.endswith("…")


def test_components_that_differ_are_not_named() -> None:
    page = page_for(incident(alert(labels={"service": "a"}), alert(labels={"service": "b"})))
    assert page.component == ""


def test_the_details_are_plain_json() -> None:
    page = page_for(incident(alert(values={"A": None})))
    assert json.loads(json.dumps(page.details)) == page.details


def test_an_incident_whose_alerts_are_gone_can_still_be_paged() -> None:
    assert page_for(incident(count=3)).details["not shown"] == 3


def test_the_page_of_a_flood_says_from_whom_how_many_and_what_to_do() -> None:
    many = replace(
        incident(alert("Disk Full"), alert("High Error Rate"), group_labels={"sender": "prod"}),
        rule=FLOOD,
        count=37,
        severity="critical",
    )
    page = page_for(many)
    assert page.summary == "Flood from prod: 37 alerts: Disk Full, High Error Rate"
    assert page.severity == "critical"
    assert (
        "More than 10 new incidents within a minute came from prod."
        in (page.details["what happened"])
    )
    assert "closed when the last of its alerts has resolved" in page.details["what to do"]
    assert page.details["not shown"] == 35
