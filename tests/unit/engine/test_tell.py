from __future__ import annotations

from dataclasses import replace

import pytest

from service.catalogue.registry import checked_options
from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.policy import SHADOW, Policy
from service.domain.decisions.requests import ALERT, PERSON, Origin
from service.domain.errors import FailureKind, VendorError
from service.engine.outbox import OutboxRound
from tests.fakes.engine import FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import telling_for

RUN = "emergency-0123456789abcdef.notify.1"
OPTIONS = checked_options(
    "tell", {"channels": ["#ops", "#web"], "text": "{alert} fires ({count}): {summary}"}
)
ASK = replace(
    telling_for("tell", RUN, cooldown_s=3_600.0, options=OPTIONS),
    origin=Origin(ALERT, "emergency", "High CPU Usage", ("alert-1",)),
)
STEPS = ["tell_1", "tell_2", "conclude"]


def channels(worker: FakeWorker) -> list[str]:
    return [thread.channel for thread in worker.messenger.threads.values() if thread]


def test_each_channel_is_told_once_and_the_group_rests() -> None:
    worker = FakeWorker()
    steps = worker.execute(ASK)
    assert list(steps.records) == STEPS
    assert channels(worker) == ["#ops", "#web"]
    assert all("(1): " in each.text for each in worker.messenger.messages.values())
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, outcome.reason) == ("succeeded", "told #ops, #web")
    assert outcome.cooldown_until == worker.clock.time() + 3_600.0
    assert worker.pager.open == {}


def test_a_channel_that_was_told_is_not_told_again_by_an_execution_that_has_lost_its_records() -> (
    None
):
    worker = FakeWorker()
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, Recorder(dies_after="tell_1"))
    worker.execute(ASK)
    assert channels(worker) == ["#ops", "#web"]


def test_what_slack_does_not_take_now_waits_for_each_channel_and_arrives_there() -> None:
    worker = FakeWorker()
    worker.messenger.problem = VendorError("slack", "post", FailureKind.TEMPORARY, "Away.")
    worker.execute(ASK)
    assert worker.runs.outcomes[RUN].reason == "waits for Slack: #ops, #web"
    worker.messenger.problem = None
    worker.clock.sleep(600.0)
    OutboxRound(worker.parts)()
    assert channels(worker) == ["#ops", "#web"]
    assert worker.outbox.count() == 0


def test_a_message_that_waits_already_is_not_posted_beside_it() -> None:
    worker = FakeWorker()
    worker.messenger.problem = VendorError("slack", "post", FailureKind.TEMPORARY, "Away.")
    worker.execute(ASK)
    worker.runs.intents.clear()  # as after a death between the message that waits and its mark
    worker.messenger.problem = None
    worker.execute(ASK)
    assert channels(worker) == []
    assert worker.outbox.count() == 2


def test_a_channel_that_slack_refuses_fails_the_run_and_pages() -> None:
    worker = FakeWorker()
    worker.messenger.problem = VendorError(
        "slack", "post", FailureKind.PERMANENT, "Slack refused: not_in_channel."
    )
    worker.execute(ASK)
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "failed"
    assert "#web was not told: Slack refused: not_in_channel." in outcome.reason
    assert list(worker.pager.open) == [run_dedup_key(RUN)]


def test_the_pager_is_told_first_where_the_rule_asks_for_it() -> None:
    worker = FakeWorker()
    steps = worker.execute(replace(ASK, options={**OPTIONS, "page": "critical"}))
    assert list(steps.records) == ["page", *STEPS]
    page = worker.pager.open[run_dedup_key(RUN)]
    assert page.severity == "critical"
    assert "fires (1)" in page.summary


def test_a_page_that_the_pager_does_not_take_waits_and_the_channels_are_told() -> None:
    worker = FakeWorker()
    worker.pager.problem = VendorError("pagerduty", "page", FailureKind.TEMPORARY, "Away.")
    worker.execute(replace(ASK, options={**OPTIONS, "page": "critical"}))
    assert [late.page.dedup_key for late, _ in worker.late] == [run_dedup_key(RUN)]
    assert channels(worker) == ["#ops", "#web"]


BY_OLGA = replace(
    telling_for("tell", "tell.person.1", options={**OPTIONS, "text": "We scale now"}),
    origin=Origin(PERSON, "olga", "a big exam"),
)


def test_what_a_person_tells_names_that_person_and_why_and_no_rule() -> None:
    worker = FakeWorker()
    worker.execute(replace(BY_OLGA, options={**BY_OLGA.options, "page": "critical"}))
    assert channels(worker) == ["#ops", "#web"]
    first, _ = worker.messenger.messages.values()
    assert (first.title, first.text) == ("For all teams: olga", "We scale now")
    assert "olga asked for it: a big exam" in first.context
    assert "rule" not in first.context
    page = worker.pager.open[run_dedup_key("tell.person.1")]
    assert (page.source, page.summary) == ("runbookd", "We scale now")
    assert page.details["what was done"] == "olga told all teams. It changed nothing."
    assert page.details["to stop it"] == "Resolve it at the pager: nothing else does."
    assert worker.runs.outcomes["tell.person.1"].status == "succeeded"


def test_a_plan_tells_nobody_but_the_person_who_asks() -> None:
    worker = FakeWorker()
    options = {**BY_OLGA.options, "page": "critical"}
    plan = replace(
        BY_OLGA, id="tell.plan.1", claim="tell.plan", policy=Policy(SHADOW), options=options
    )
    worker.execute(plan)
    assert (worker.messenger.messages, worker.pager.open) == ({}, {})
    outcome = worker.runs.outcomes["tell.plan.1"]
    assert outcome.status == "shadow"
    assert outcome.reason == (
        "It would tell #ops, #web: We scale now. It would page the person on call (critical). That "
        "changes nothing, costs nothing and takes nothing down. What is told stays told."
    )
