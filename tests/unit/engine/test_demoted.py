"""A worker and a rule that has demoted itself: asked, or paged, in place of a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.alerts.dedup import demoted_dedup_key, is_of_target
from service.domain.decisions.approval import APPROVED
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.policy import ACT, APPROVE, SHADOW, Policy
from service.domain.decisions.requests import LEVEL, PERSON, Origin
from service.engine.judging import JudgingRound
from service.ports.approvals import Decided
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import WORKER, request_for

ASK = request_for("vertical_scale", WORKER)
KEY = demoted_dedup_key("a-rule", "worker-vm", "up")
WHY = "6 of the last 10 changes have cleared their alerts, and its slo asks for 0.8 of them"


def demoted_to(mode: str) -> FakeWorker:
    worker = FakeWorker()
    worker.demotions.rows["a-rule"] = Demotion("m-1", "a-rule", mode, 0.0, WHY)
    return worker


def test_what_was_queued_before_its_rule_was_demoted_asks_all_the_same() -> None:
    worker = demoted_to(APPROVE)
    assert ASK.policy.mode == ACT
    worker.execute(ASK)
    assert worker.change.value == "small"
    (asking,) = worker.approvals.waiting()
    assert asking.why == "rule a-rule has demoted itself to mode approve"


def test_a_rule_demoted_to_shadow_changes_nothing_and_pages_a_person_instead() -> None:
    worker = demoted_to(SHADOW)
    worker.execute(ASK)
    assert worker.change.value == "small"
    assert worker.runs.outcomes[ASK.id].status == "shadow"
    assert worker.locks.owners == {}
    (page,) = worker.pager.open.values()
    assert (page.dedup_key, page.severity) == (KEY, "critical")
    assert page.summary == (
        "worker-vm: size small → large would have been changed, and rule a-rule is demoted to "
        "shadow: decide whether it helps (High CPU Usage is 93)"
    )
    assert page.details["to let the rule act again"] == "runbookd promote a-rule --why WHY"
    (said,) = worker.said()
    assert "rule a-rule has demoted itself to shadow, so a person is paged." in said


def test_a_request_that_pins_the_demotion_pages_too() -> None:
    worker = FakeWorker()
    worker.execute(replace(ASK, policy=Policy(SHADOW, demoted=True)))
    assert list(worker.pager.open) == [KEY]


def test_that_page_is_closed_when_the_alerts_have_resolved() -> None:
    worker = demoted_to(SHADOW)
    worker.execute(ASK)
    assert worker.incidents.enlisted == [(KEY, ("alert-1",))]
    assert is_of_target(KEY), "while they fire it stays open"


@pytest.mark.parametrize("mode", [APPROVE, SHADOW])
def test_a_rule_that_a_person_has_put_in_shadow_pages_nobody(mode: str) -> None:
    worker = demoted_to(mode)
    worker.execute(replace(ASK, policy=Policy(SHADOW)))
    assert worker.pager.open == {}
    assert "rule a-rule is in mode shadow." in worker.said()[0]


@pytest.mark.parametrize("mode", [APPROVE, SHADOW])
@pytest.mark.parametrize("origin", [PERSON, LEVEL])
def test_what_no_alert_asks_for_is_not_touched(mode: str, origin: str) -> None:
    worker = demoted_to(mode)
    worker.execute(replace(ASK, origin=Origin(origin, "a-rule", "it is slow")))
    assert worker.change.value == "large"


@pytest.mark.parametrize("mode", [APPROVE, SHADOW])
def test_a_plan_that_a_person_has_approved_is_done_and_another_one_is_not(mode: str) -> None:
    worker = demoted_to(APPROVE)
    worker.execute(ASK)
    decided = Decided(APPROVED, "paul", "fine", worker.clock.time())
    worker.approvals.decide("q-1", decided, 0.0, lambda _: None)
    (following,) = worker.approvals.started
    worker.demotions.rows["a-rule"] = replace(worker.demotions.rows["a-rule"], mode=mode)
    worker.change.value = "medium"
    worker.execute(following)
    assert worker.change.value == "medium"
    assert [each.run for each in worker.approvals.waiting()] == [following.id]
    worker.change.value = "small"
    worker.execute(replace(following, id="worker-vm.up.9"))
    assert worker.change.value == "large"


def test_the_rule_of_another_name_is_not_touched() -> None:
    worker = demoted_to(SHADOW)
    worker.execute(replace(ASK, origin=replace(ASK.origin, by="another-rule")))
    assert worker.change.value == "large"


@pytest.mark.parametrize(
    ("mode", "means"),
    [(APPROVE, "needs a person's approval"), (SHADOW, "pages a person when it would have")],
)
def test_people_are_told_once_that_a_rule_has_demoted_itself(mode: str, means: str) -> None:
    worker = demoted_to(mode)
    JudgingRound(worker.parts)(True)
    JudgingRound(worker.parts)(True)
    (said,) = worker.said()
    assert said.startswith(f"Demoted to {mode}: rule a-rule | {WHY}. From now on")
    assert means in said
    (message,) = worker.messenger.messages.values()
    assert dict(message.fields)["Promote it"] == "runbookd promote a-rule --why WHY"
