from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.requests import Origin
from service.domain.errors import FailureKind, VendorError
from service.engine.pages import AGAIN_S, REFUSED_AGAIN_S
from service.ports.admission import IncidentRecord
from service.ports.runs import IncidentState
from tests.fakes.engine import ALERT, FakeWorker, ProcessEnded, Recorder
from tests.fakes.runs import telling_for

KEY = "runbookd/0123456789abcdef"
RUN = "high-error-rate-0123456789abcdef.notify.1"
ASK = telling_for(
    "page_oncall",
    RUN,
    KEY,
    origin=Origin("alert", "high-error-rate", "High Error Rate", ("alert-1",)),
)
DOWN = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "It cannot be reached.")
BUSY = VendorError("pagerduty", "trigger", FailureKind.TEMPORARY, "Too many.", 60.0, 429)
REFUSED = VendorError("pagerduty", "trigger", FailureKind.PERMANENT, "No such key.")


def incident(*, paged: bool, firing: int, resolved_at: float | None = None) -> IncidentState:
    record = IncidentRecord(
        KEY, "high-error-rate", None, "alertmanager", "oncall", {"team": "quiz"}, paged=paged
    )
    return IncidentState(record, firing, (ALERT,), resolved_at, None)


@pytest.fixture
def worker() -> FakeWorker:
    worker = FakeWorker()
    worker.runs.add(ASK, partition=KEY)
    return worker


def resolved_ago(worker: FakeWorker, seconds: float, *, paged: bool = True) -> None:
    at = worker.clock.time() - seconds
    worker.incidents.states[KEY] = incident(paged=paged, firing=0, resolved_at=at)
    worker.pager.open[KEY] = None  # type: ignore[assignment]  # only the key matters here
    if not paged:
        worker.pager.open.clear()


def test_alerts_that_fire_page_once_and_are_told_in_slack(worker: FakeWorker) -> None:
    worker.incidents.states[KEY] = incident(paged=False, firing=3)

    steps = worker.execute(ASK)

    assert list(steps.records) == ["page", "conclude"]
    assert list(worker.pager.open) == [KEY]
    assert worker.runs.outcomes[RUN].status == "succeeded"
    assert worker.incidents.states[KEY].incident.paged
    assert len(worker.messenger.messages) == 1


def test_the_page_and_its_message_carry_ids_links_and_the_command_to_type(
    worker: FakeWorker,
) -> None:
    link = ("https://am.example/#/silences/new", "High Error Rate: silence")
    state = replace(incident(paged=False, firing=1), episodes=("a-7",))
    worker.incidents.states[KEY] = state

    worker.execute(replace(ASK, origin=replace(ASK.origin, links=(link,))))

    page, (message,) = worker.pager.open[KEY], worker.messenger.messages.values()
    assert link in page.links
    assert link in message.links
    assert (page.details["run"], page.details["alert ids"]) == (RUN, ["a-7"])
    assert page.details["what to type"] == f"runbookd explain {RUN}"
    assert f"run {RUN} · alert a-7 · " in message.context
    assert message.context.endswith(f"`runbookd explain {RUN}`")


def test_more_alerts_of_an_incident_edit_the_message_they_had(worker: FakeWorker) -> None:
    worker.incidents.states[KEY] = incident(paged=False, firing=1)
    worker.execute(ASK)
    worker.incidents.states[KEY] = replace(worker.incidents.states[KEY], firing=2)

    worker.execute(replace(ASK, id=RUN.replace(".1", ".2")))

    assert len(worker.messenger.messages) == 1
    assert len(worker.pager.open) == 1


def test_an_incident_is_resolved_once_the_refire_grace_is_over(worker: FakeWorker) -> None:
    resolved_ago(worker, 120.0)

    worker.execute(ASK)

    assert worker.pager.open == {}
    assert not worker.incidents.states[KEY].incident.paged
    assert worker.runs.again == []


@pytest.mark.parametrize("ago_s", [0.0, 30.0, 119.0])
def test_within_the_refire_grace_the_resolve_is_put_off_to_its_end(
    worker: FakeWorker, ago_s: float
) -> None:
    resolved_ago(worker, ago_s)

    worker.execute(ASK)

    assert list(worker.pager.open) == [KEY]
    assert worker.runs.outcomes[RUN].status == "held"
    assert worker.runs.again[0].delay_s == 120.0 - ago_s
    assert worker.runs.again[0].partition == KEY


def test_firing_again_within_the_grace_keeps_the_incident_open(worker: FakeWorker) -> None:
    resolved_ago(worker, 30.0)
    worker.execute(ASK)
    worker.incidents.states[KEY] = incident(paged=True, firing=1)

    worker.execute(replace(ASK, id=RUN.replace(".1", ".2")))

    assert list(worker.pager.open) == [KEY]


def test_alerts_that_resolved_before_anybody_was_paged_wake_nobody(worker: FakeWorker) -> None:
    resolved_ago(worker, 5.0, paged=False)

    worker.execute(ASK)

    assert worker.pager.open == {}
    assert worker.runs.outcomes[RUN].status == "held"
    assert worker.runs.again == []


def test_an_incident_that_is_not_on_record_is_held(worker: FakeWorker) -> None:
    worker.execute(ASK)
    assert worker.runs.outcomes[RUN].status == "held"


@pytest.mark.parametrize(
    ("problem", "wait_s"), [(DOWN, AGAIN_S), (BUSY, 60.0), (REFUSED, REFUSED_AGAIN_S)]
)
def test_a_page_that_cannot_be_delivered_is_put_back_and_tried_again(
    worker: FakeWorker, problem: VendorError, wait_s: float
) -> None:
    worker.incidents.states[KEY] = incident(paged=False, firing=1)
    worker.pager.problem = problem

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "failed"
    (again,) = worker.runs.again
    assert again.delay_s == wait_s
    assert not worker.incidents.states[KEY].incident.paged

    worker.pager.problem = None
    worker.execute(replace(ASK, id=RUN.replace(".1", ".2")))
    assert list(worker.pager.open) == [KEY]


def test_slack_is_told_once_that_nobody_could_be_paged(worker: FakeWorker) -> None:
    worker.incidents.states[KEY] = incident(paged=False, firing=1)
    worker.pager.problem = DOWN

    worker.execute(ASK)
    (again,) = worker.runs.again
    assert again.request.on is None
    worker.execute(replace(again.request, id=RUN.replace(".1", ".2")))

    told = [line for line in worker.said() if "Nobody was paged" in line]
    assert len(told) == 1


def test_a_resolve_that_the_pager_refuses_is_not_tried_for_ever(worker: FakeWorker) -> None:
    resolved_ago(worker, 500.0, paged=True)
    worker.pager.problem = REFUSED

    worker.execute(ASK)

    assert worker.runs.outcomes[RUN].status == "failed"
    assert worker.runs.again == []


def test_a_pager_that_is_away_is_tried_for_ten_seconds_before_the_page_is_put_back(
    worker: FakeWorker,
) -> None:
    worker.incidents.states[KEY] = incident(paged=False, firing=1)
    worker.pager.problem = DOWN
    began_at = worker.clock.time()

    worker.execute(ASK)

    assert worker.pager.tries > 1
    assert worker.clock.time() - began_at <= 10.0


def test_a_page_whose_record_was_lost_is_sent_again_and_is_still_one_incident(
    worker: FakeWorker,
) -> None:
    worker.incidents.states[KEY] = incident(paged=False, firing=1)
    steps = Recorder(dies_after="page")
    with pytest.raises(ProcessEnded):
        worker.execute(ASK, steps)
    steps.records.clear()

    worker.execute(ASK, steps)

    assert list(worker.pager.open) == [KEY]
    assert len(worker.messenger.messages) == 1


@pytest.mark.parametrize("firing", [1, 0])
def test_a_former_execution_tells_the_pager_nothing_any_more(
    worker: FakeWorker, firing: int
) -> None:
    if firing:
        worker.incidents.states[KEY] = incident(paged=False, firing=firing)
    else:
        resolved_ago(worker, 500.0)
    open_before = dict(worker.pager.open)
    worker.incidents.meanwhile = lambda: worker.runs.begin(RUN, worker.clock.time())

    with pytest.raises(ProcessEnded, match="was replaced by 2"):
        worker.execute(ASK)

    assert worker.pager.open == open_before
    assert worker.said() == []
    assert RUN not in worker.runs.outcomes
