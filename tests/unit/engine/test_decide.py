"""Runs that decide: what each branch asks for, and when nothing is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.catalogue.registry import checked_options
from service.domain.decisions.decision_tree import Question
from service.domain.decisions.policy import SHADOW, Policy
from service.domain.decisions.requests import ALERT, PERSON, Origin
from service.domain.errors import FailureKind, VendorError
from service.domain.rules.rules import RuleBook
from service.messages.investigate import EXPRESSIONS
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import API, DATABASE, WORKER, telling_for
from tests.fakes.telling import FakeMetrics

RUN = "overload-0123456789abcdef.notify.1"
OPTIONS = checked_options(
    "decide",
    {
        "cpu": {"action": "horizontal_scale", "target": API.name, "with": {"step": 2}},
        "memory": {"action": "vertical_scale", "target": WORKER.name},
        "database": {"action": "scale_database", "target": DATABASE.name},
        "cache": {"action": "horizontal_scale", "target": API.name},
        "network": {"action": "horizontal_scale", "target": API.name},
    },
)
ASK = replace(
    telling_for("decide", RUN, cooldown_s=600.0, settle_s=60.0, options=OPTIONS),
    origin=Origin(ALERT, "overload", "Overload", ("alert-1",)),
)
CALM = {
    Question.CPU: 20.0,
    Question.MEMORY: 30.0,
    Question.DATABASE: 50.0,
    Question.CACHE: 95.0,
}


def worker_with(**readings: float | VendorError | None) -> FakeWorker:
    """A worker whose readings are calm but for these."""
    worker = FakeWorker()
    values = {**CALM, **{Question[name]: value for name, value in readings.items()}}
    worker.metrics = FakeMetrics(
        {EXPRESSIONS[each]: value for each, value in values.items() if value is not None}
    )
    targets = {each.name: each for each in (API, WORKER, DATABASE)}
    worker.book = RuleBook((), targets, "0123456789ab")
    return worker


@pytest.mark.parametrize(
    ("readings", "branch", "action", "target", "direction"),
    [
        ({"CPU": 85.0}, "cpu", "horizontal_scale", API, "out"),
        ({"CPU": 85.0, "MEMORY": 95.0}, "cpu", "horizontal_scale", API, "out"),
        ({"MEMORY": 95.0}, "memory", "vertical_scale", WORKER, "up"),
        ({"DATABASE": 2.0}, "database", "scale_database", DATABASE, "up"),
        ({"CACHE": 60.0}, "cache", "horizontal_scale", API, "out"),
        ({}, "network", "horizontal_scale", API, "out"),
    ],
)
def test_each_branch_asks_once_for_the_action_that_its_rule_names(
    readings: dict[str, float], branch: str, action: str, target: object, direction: str
) -> None:
    worker = worker_with(**readings)
    steps = worker.execute(ASK)
    assert list(steps.records) == ["read", "ask", "tell"]
    read = steps.records["read"]
    assert isinstance(read, dict)
    assert read["readings"] == "; ".join(read["found"])
    (child,) = worker.runs.asked
    assert (child.step, child.action, child.on) == (branch, action, target)
    assert (child.parent, child.direction) == (RUN, direction)
    assert child.claim == f"{child.target.name}.{direction}"
    assert child.wanted
    assert (child.cooldown_s, child.settle_s) == (600.0, 60.0)
    assert child.origin.alerts == ("alert-1",)
    assert RUN in child.origin.why
    (said,) = worker.said()
    assert f"Decided: {action} on {child.target.name}" in said
    assert f"leads to {branch}" in said
    assert child.id in said
    assert child.id in worker.runs.outcomes[RUN].reason


def test_the_options_of_a_branch_reach_the_run_that_it_asks_for() -> None:
    worker = worker_with(CPU=85.0)
    worker.execute(ASK)
    (child,) = worker.runs.asked
    assert [each.by for each in child.wanted] == [2]


AWAY = VendorError("prometheus", "query", FailureKind.PERMANENT, "Prometheus is away.")


@pytest.mark.parametrize(
    ("readings", "sentence"),
    [
        ({"CPU": None}, "Not known: CPU"),
        ({"CPU": AWAY}, "Prometheus is away"),
        ({"CPU": None, "MEMORY": 95.0}, "Not known: CPU"),
        ({"CACHE": None}, "Not known: Cache hit ratio"),
    ],
)
def test_a_reading_that_is_missing_before_the_branch_asks_for_nothing_and_is_told(
    readings: dict[str, float | VendorError | None], sentence: str
) -> None:
    worker = worker_with(**readings)
    assert list(worker.execute(ASK).records) == ["read", "investigate", "conclude"]
    assert worker.runs.asked == []
    (said,) = worker.said()
    assert "Investigate" in said
    assert sentence in said
    assert worker.runs.outcomes[RUN].status == "succeeded"


def test_a_reading_that_is_missing_behind_the_branch_does_not_matter() -> None:
    worker = worker_with(CPU=85.0, CACHE=None)
    worker.execute(ASK)
    assert len(worker.runs.asked) == 1


def test_without_prometheus_nothing_is_asked_for() -> None:
    worker = worker_with()
    worker.metrics = None
    worker.execute(ASK)
    assert worker.runs.asked == []
    assert "PROMETHEUS_URL is not set" in worker.said()[0]


def test_a_branch_that_the_rule_does_not_name_is_investigated() -> None:
    worker = worker_with(MEMORY=95.0)
    worker.execute(replace(ASK, options={**OPTIONS, "memory": None}))
    assert worker.runs.asked == []
    assert "leads to memory" in worker.said()[0]
    assert "names no action" in worker.said()[0]


def test_a_target_that_the_rules_in_force_lack_is_told_and_nothing_is_asked_for() -> None:
    worker = worker_with(CPU=85.0)
    worker.book = RuleBook((), {}, "0123456789ab")
    worker.execute(ASK)
    assert worker.runs.asked == []
    assert f"cannot change {API.name}" in worker.said()[0]


def test_in_shadow_the_run_that_is_asked_for_has_a_claim_in_shadow() -> None:
    worker = worker_with(CPU=85.0)
    worker.execute(replace(ASK, policy=Policy(SHADOW)))
    (child,) = worker.runs.asked
    assert child.claim == f"shadow.{API.name}.out"
    assert child.policy.mode == SHADOW


def test_a_message_that_slack_refuses_is_paged_and_the_run_is_asked_for_all_the_same() -> None:
    worker = worker_with(CPU=85.0)
    worker.messenger.problem = VendorError("slack", "post", FailureKind.PERMANENT, "Refused.")
    worker.execute(ASK)
    assert len(worker.runs.asked) == 1
    assert len(worker.pager.open) == 1


BY_OLGA = replace(
    telling_for("decide", "decide.person.1", options=OPTIONS),
    origin=Origin(PERSON, "olga", "it is slow"),
)
PLAN = replace(BY_OLGA, id="decide.plan.1", claim="decide.plan", policy=Policy(SHADOW))


def test_a_person_needs_no_alert_and_what_is_asked_for_is_that_persons_run() -> None:
    worker = worker_with(CPU=85.0)
    worker.execute(BY_OLGA)
    (child,) = worker.runs.asked
    assert (child.claim, child.origin.kind, child.origin.by) == ("api.person", PERSON, "olga")
    assert child.policy.mode == "act"
    assert (child.wanted[0].by, child.parent) == (2, "decide.person.1")
    (said,) = worker.said()
    assert "olga asked for it: it is slow." in said
    assert "The decision tree leads to cpu." in said


@pytest.mark.parametrize("readings", [{"CPU": None}, {"CPU": AWAY}])
def test_a_person_is_told_that_nothing_is_asked_for_and_why(
    readings: dict[str, float | VendorError | None],
) -> None:
    worker = worker_with(**readings)
    worker.execute(BY_OLGA)
    assert worker.runs.asked == []
    (said,) = worker.said()
    assert "Decided: nothing is asked for | olga asked for it: it is slow." in said
    assert "Not known: CPU" in said
    assert worker.runs.outcomes[BY_OLGA.id].status == "succeeded"


def test_a_branch_that_a_person_did_not_name_leads_to_nothing() -> None:
    worker = worker_with(MEMORY=95.0)
    worker.execute(replace(BY_OLGA, options={**OPTIONS, "memory": None}))
    assert worker.runs.asked == []
    assert "for which no action was named" in worker.said()[0]


def test_a_plan_of_a_decision_asks_for_the_plan_of_the_change_and_tells_nobody() -> None:
    worker = worker_with(CPU=85.0)
    assert list(worker.execute(PLAN).records) == ["read", "ask"]
    (child,) = worker.runs.asked
    assert (child.claim, child.policy.mode) == ("api.plan", SHADOW)
    assert worker.runs.outcomes[PLAN.id].status == "shadow"
    assert worker.messenger.messages == {}


def test_a_plan_without_a_reading_tells_only_the_person_who_asks() -> None:
    worker = worker_with(CPU=None)
    worker.execute(PLAN)
    outcome = worker.runs.outcomes[PLAN.id]
    assert outcome.status == "shadow"
    assert "Nothing would be asked for. Not known: CPU" in outcome.reason
    assert worker.messenger.messages == {}


def test_in_shadow_a_persons_decision_asks_in_shadow_and_is_told() -> None:
    worker = worker_with(CPU=85.0)
    worker.execute(replace(BY_OLGA, policy=Policy(SHADOW)))
    (child,) = worker.runs.asked
    assert (child.claim, child.policy.mode) == ("api.person", SHADOW)
    assert len(worker.messenger.messages) == 1
