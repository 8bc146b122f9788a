from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.alerts.dedup import run_dedup_key
from service.domain.decisions.requests import (
    ALERT,
    HELD,
    QUARANTINED,
    REFUSED,
    STEADIED,
    Origin,
    Request,
)
from service.domain.errors import FailureKind, VendorError
from service.ports.runs import Outcome
from tests.fakes import engine as fakes
from tests.fakes.engine import ALERT as FIRING
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import API, ASK_DROPLET, WORKER, request_for, telling_for

RUN = "slow-responses-0123456789abcdef.notify.1"
ASK = replace(
    telling_for("investigate", RUN, cooldown_s=3_600.0),
    origin=Origin(ALERT, "slow-responses", "Slow Response Time", ("alert-1",)),
)


def test_an_investigation_is_one_message_and_rests_for_its_cooldown() -> None:
    worker = FakeWorker()

    steps = worker.execute(ASK)

    assert list(steps.records) == ["investigate", "conclude"]
    assert len(worker.messenger.messages) == 1
    outcome = worker.runs.outcomes[RUN]
    assert outcome.status == "succeeded"
    assert outcome.cooldown_until == worker.clock.time() + 3600.0
    assert worker.locks.cooldowns == {
        "slow-responses-0123456789abcdef.notify": outcome.cooldown_until
    }


def slack_answers(worker: FakeWorker, kind: FailureKind) -> None:
    worker.messenger.problem = VendorError("slack", "post", kind, "No.")


@pytest.mark.parametrize("kind", [FailureKind.TEMPORARY, FailureKind.UNKNOWN])
def test_a_message_that_nobody_takes_waits_and_the_run_does_not(kind: FailureKind) -> None:
    worker = FakeWorker()
    slack_answers(worker, kind)
    began_at = worker.clock.time()

    worker.execute(ASK)

    assert worker.clock.time() - began_at <= 10.0
    outcome = worker.runs.outcomes[RUN]
    assert (outcome.status, "waits for Slack" in outcome.reason) == ("succeeded", True)
    assert worker.outbox.count() == 1


def test_a_message_waits_also_when_its_alert_has_resolved_meanwhile() -> None:
    worker = FakeWorker()
    slack_answers(worker, FailureKind.TEMPORARY)
    worker.runs.open.clear()
    worker.execute(ASK)
    assert worker.outbox.count() == 1


def test_a_message_that_slack_refuses_pages_instead() -> None:
    worker = FakeWorker()
    slack_answers(worker, FailureKind.PERMANENT)
    worker.execute(ASK)
    assert worker.runs.again == []
    assert list(worker.pager.open) == [run_dedup_key(RUN)]


def test_a_test_that_slack_refuses_pages_nobody() -> None:
    worker = FakeWorker()
    slack_answers(worker, FailureKind.PERMANENT)
    worker.execute(replace(ASK, origin=replace(ASK.origin, by="test")))
    assert worker.runs.outcomes[RUN].status == "failed"
    assert worker.pager.open == {}


def test_a_test_is_told_without_asking_for_readings() -> None:
    worker = FakeWorker()
    worker.execute(replace(ASK, origin=replace(ASK.origin, by="test")))
    (message,) = worker.messenger.messages.values()
    assert message.title.startswith("Test: the path")


def notice(by: str, subject: str, why: str) -> Request:
    claim = "held.worker-vm.up" if by == HELD else "quarantine-alertmanager-labels.notify"
    return replace(
        telling_for("investigate", f"{claim}.1", cooldown_s=540.0, subject=subject),
        origin=Origin(ALERT, by, why),
    )


def test_a_hold_is_a_line_in_the_thread_of_the_run_that_holds() -> None:
    worker = FakeWorker()
    worker.execute(ASK_DROPLET)
    (first,) = list(worker.messenger.messages)
    worker.execute(notice(HELD, ASK_DROPLET.id, "It is over in 9 min."))
    threads = {
        message.text: worker.messenger.threads[ref]
        for ref, message in worker.messenger.messages.items()
    }
    line = (
        "Held: It is over in 9 min. After that, the alert's next repeat is acted on. Nothing was "
        "changed, so there is nothing to stop, to undo or to pay."
    )
    assert threads[line] == first
    outcome = worker.runs.outcomes["held.worker-vm.up.1"]
    assert (outcome.status, outcome.cooldown_until) == (
        "succeeded",
        worker.clock.time() + 540.0,
    )


def test_a_hold_by_a_run_that_has_no_message_is_not_told_and_not_asked_about_again() -> None:
    worker = FakeWorker()
    worker.execute(notice(HELD, "api.out.1", "Held until 10:42."))
    assert worker.messenger.messages == {}
    outcome = worker.runs.outcomes["held.worker-vm.up.1"]
    assert (outcome.status, outcome.cooldown_until) == ("held", worker.clock.time() + 540.0)


def test_alerts_that_could_not_be_read_are_one_message_that_says_what_to_do() -> None:
    worker = FakeWorker()
    worker.execute(notice(QUARANTINED, "alertmanager", "1 of 2 alerts could not be read: 1: No."))
    (message,) = worker.messenger.messages.values()
    assert message.title == "Alerts from alertmanager could not be read"
    assert "1 of 2 alerts could not be read: 1: No." in message.text
    assert "Correct what sends them" in message.text


def test_what_a_sender_may_not_do_is_a_message_with_its_name() -> None:
    worker = FakeWorker()
    worker.execute(notice(REFUSED, "grafana-dev", "High CPU Usage. Nothing was changed."))
    (message,) = worker.messenger.messages.values()
    assert message.title == "Not taken from grafana-dev"
    assert message.text == "High CPU Usage. Nothing was changed."
    assert message.context == "Told once an hour for each credential and rule."


def test_an_alert_that_flaps_is_a_message_that_says_how_to_steady_it() -> None:
    worker = FakeWorker()
    flaps = notice(STEADIED, "", "High CPU Usage. It flaps.")
    worker.execute(replace(flaps, origin=replace(flaps.origin, alerts=("alert-1",))))
    (message,) = worker.messenger.messages.values()
    assert message.title == "Held: the alert flaps"
    assert message.text.startswith("High CPU Usage. It flaps. Nothing was changed")
    assert ("See each check", "runbookd explain alert-1") in message.fields
    assert "a longer `for`" in dict(message.fields)["Steady it"]


@pytest.mark.parametrize(
    ("labels", "told_of"),
    [({"service": "api"}, ["api"]), ({"instance": "db-1"}, ["worker-vm", "api"])],
    ids=["a label names a target", "none does"],
)
def test_the_last_run_is_told_of_the_target_that_a_label_names_or_else_of_each(
    labels: dict[str, str], told_of: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes, "ALERT", replace(FIRING, labels=labels))
    worker = FakeWorker()
    for request in (request_for("vertical_scale", WORKER), request_for("horizontal_scale", API)):
        worker.runs.add(request)
        worker.runs.conclude(request.id, Outcome("succeeded", "done", 0.0), 0.0)
    worker.execute(ASK)
    (message,) = worker.messenger.messages.values()
    shown = [label for label, _ in message.fields if label.startswith("Last run on ")]
    assert shown == [f"Last run on {name}" for name in told_of]
