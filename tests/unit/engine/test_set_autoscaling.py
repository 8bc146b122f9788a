"""Whole runs of the vendor's own autoscaling: the approval of a dearer size, and the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.approval import plan_hash
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import PERSON, Origin, Request
from tests.fakes.runs import API, request_for
from tests.unit.engine.test_set_capacity import Company

OPTIONS = {"min": 2, "max": 6, "cpu": 70}
ASKED = request_for("set_autoscaling", API, options=OPTIONS)
BY_ANNA = replace(ASKED, origin=Origin(PERSON, "anna", "the exams"))


@pytest.fixture
def company() -> Company:
    return Company()


def plan_of(company: Company, request: Request) -> Plan:
    plan = company.worker.runs.rows[request.id].plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("request_", [ASKED, BY_ANNA], ids=["an alert", "a person"])
def test_a_size_that_nobody_has_named_waits_for_a_person(
    company: Company, request_: Request
) -> None:
    assert company.run(request_) == "waiting"
    assert company.apps.writes.effective == []
    (said,) = company.worker.said()
    assert "Approve? api: replicas 2 → by load; autoscaling off → 2–6" in said
    assert "; size professional-xs → professional-l" in said
    assert "professional-l can be, and would be set with it, at $150 instead of $12" in said


def test_once_it_is_approved_all_of_it_is_one_deployment(company: Company) -> None:
    company.run(ASKED)
    approved = plan_hash("api", plan_of(company, ASKED))
    again = replace(ASKED, id="api.set.2", approved=approved, parent=ASKED.id)
    assert company.run(again) == "succeeded"
    assert company.apps.writes.effective == ["update_app"]
    running = company.apps.running("api")
    assert running["instance_size_slug"] == "professional-l"
    assert running["autoscaling"]["max_instance_count"] == 6
    assert running["envs"] == [{"key": "KEY", "value": "EV[1:def:not-real]", "type": "SECRET"}]


def test_a_dedicated_size_that_is_named_is_set_without_asking(company: Company) -> None:
    options = {**OPTIONS, "size": "professional-l"}
    named = request_for("set_autoscaling", API, options=options)
    assert company.run(named) == "succeeded"
    assert company.apps.running("api")["autoscaling"]["min_instance_count"] == 2


def test_switched_off_it_keeps_all_else_of_the_spec_in_one_deployment(company: Company) -> None:
    options = {**OPTIONS, "size": "professional-l", "health_path": "/health"}
    company.run(request_for("set_autoscaling", API, options=options))
    off = request_for("set_autoscaling", API, options={"fixed": 3})
    assert company.run(replace(off, id="api.set.2", origin=BY_ANNA.origin)) == "succeeded"
    assert company.apps.writes.effective == ["update_app"] * 2
    running = company.apps.running("api")
    assert (running["instance_count"], "autoscaling" in running) == (3, False)
    assert running["health_check"] == {"http_path": "/health"}
    assert running["envs"] == [{"key": "KEY", "value": "EV[1:def:not-real]", "type": "SECRET"}]
