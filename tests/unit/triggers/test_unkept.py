"""What is paged for a notification that could not be stored."""

from __future__ import annotations

from service.domain.alerts.alert import AlertKind
from service.triggers.alerts.unkept import pages_of
from tests.fakes.alerts import CPU, ERRORS, SLOW, alert, delivery, resolved, rules_in_force
from tests.fakes.journal import Desk

RULES = rules_in_force()


def test_only_firing_alerts_of_rules_that_page_are_paged() -> None:
    told = delivery(alert(ERRORS), resolved(ERRORS, "b"), alert(CPU), alert(SLOW), alert("Other"))
    (page,) = pages_of(told, RULES)
    assert page.summary == ERRORS
    assert page.details["firing"] == 1
    assert "could not be stored" in page.details["runbookd"]


def test_a_test_pages_nobody_and_an_alert_without_data_pages_as_it_does_when_kept() -> None:
    told = delivery(*(alert(ERRORS, kind.value, kind=kind) for kind in AlertKind))
    (page,) = pages_of(told, RULES)
    assert page.details["firing"] == len(AlertKind) - 1
    assert pages_of(delivery(alert(ERRORS, kind=AlertKind.TEST)), RULES) == []


def test_the_incident_is_the_one_that_a_worker_pages_when_the_alert_is_kept() -> None:
    told = delivery(alert(ERRORS), alert(ERRORS, "b"), group={"cluster": "x"})
    (page,) = pages_of(told, RULES)
    desk = Desk()
    desk.admit(told)
    (incident,) = desk.store.incidents.values()
    assert page.dedup_key == incident.dedup_key
