from __future__ import annotations

from typing import Any

import pytest

from service.domain.alerts.alert import Alert, AlertStatus
from service.domain.alerts.incident import Incident, links_of, names_of, severity_of


def alert(name: str = "High Error Rate", **changes: Any) -> Alert:
    facts: dict[str, Any] = {
        "source": "alertmanager",
        "fingerprint": "f1",
        "status": AlertStatus.FIRING,
        "name": name,
    }
    return Alert(**{**facts, **changes})


def incident(*alerts: Alert, **changes: Any) -> Incident:
    facts: dict[str, Any] = {
        "key": "runbookd/k",
        "source": "alertmanager",
        "rule": "errors",
        "receiver": "runbookd",
        "group_labels": {},
        "alerts": alerts,
        "count": len(alerts),
    }
    return Incident(**{**facts, **changes})


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("critical", "critical"),
        ("Critical ", "critical"),
        ("error", "error"),
        ("high", "error"),
        ("major", "error"),
        ("warning", "warning"),
        ("medium", "warning"),
        ("info", "info"),
        ("low", "info"),
        ("none", "info"),
        ("P1-ish", "error"),
        ("", "error"),
    ],
)
def test_a_label_is_told_in_the_pagers_words(label: str, severity: str) -> None:
    assert severity_of(incident(alert(labels={"severity": label}))) == severity


def test_without_a_label_somebody_is_still_woken() -> None:
    assert severity_of(incident(alert())) == "error"


def test_the_worst_alert_of_a_group_decides() -> None:
    several = [alert(labels={"severity": one}) for one in ("info", "critical", "warning")]
    assert severity_of(incident(*several)) == "critical"


def test_the_rules_severity_comes_first() -> None:
    assert severity_of(incident(alert(labels={"severity": "info"}), severity="high")) == "error"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["a"], "a"),
        (["a", "a", "a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        ([""], "an alert without a name"),
    ],
)
def test_the_first_few_are_named_and_the_rest_counted(names: list[str], shown: str) -> None:
    assert names_of(incident(*(alert(name) for name in names))) == shown


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", "data:text/html,x", "ftp://x/y", "/graph", "", "http://[", "https://"],
)
def test_only_web_addresses_become_links(href: str) -> None:
    odd = alert(generator_url=href, annotations={"runbook_url": href})
    assert links_of(incident(odd, external_url=href)) == ()


def test_each_address_is_linked_once_with_what_it_is() -> None:
    one = alert(
        generator_url="http://prom/graph?g0",
        annotations={"runbook_url": "https://wiki/run", "summary": "http://not/a/link"},
        links={"dashboard": "https://grafana/d/1"},
    )
    assert links_of(incident(one, one, external_url="https://am")) == (
        ("http://prom/graph?g0", "High Error Rate: where it comes from"),
        ("https://grafana/d/1", "High Error Rate: dashboard"),
        ("https://wiki/run", "High Error Rate: runbook_url"),
        ("https://am", "alertmanager: the sender"),
    )


def test_what_came_with_the_request_is_linked_too_and_no_address_that_is_too_long() -> None:
    told = incident(
        alert(generator_url="https://prom/" + "x" * 2_000),
        links=(("https://am/#/silences/new", "a: silence"), ("javascript:x", "b")),
    )
    assert links_of(told) == (("https://am/#/silences/new", "a: silence"),)


def test_ten_links_are_enough() -> None:
    many = [alert(generator_url=f"http://prom/{n}") for n in range(50)]
    assert len(links_of(incident(*many))) == 10
