"""Whole runs that set values: one deployment, who wins, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from service.catalogue.registry import change_of
from service.catalogue.request_json import dump_request
from service.domain.capacity.ledger import Addition, Entry
from service.domain.decisions.controls import HOLD, Control
from service.domain.decisions.requests import PERSON, RETURN, Origin, Request, Wanted
from service.domain.decisions.returns import Asker, Return, Step
from service.engine.execution import execute
from service.engine.parts import WorkerParts
from service.engine.returns import return_request
from service.messages.announcements import price_change
from tests.fakes.apps import FakeApps
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.runs import API, request_for, works_on
from tests.unit.engine.test_returns import book, rule

XS, S, M, L = API.sizes


@dataclass(slots=True)
class Company:
    """A worker, and an app with 2 × professional-xs."""

    worker: FakeWorker = field(default_factory=FakeWorker)
    apps: FakeApps = field(init=False)

    def __post_init__(self) -> None:
        self.apps = FakeApps(self.worker.clock)

    @property
    def parts(self) -> WorkerParts:
        works = works_on(self.worker.clock, apps=self.apps)
        return replace(self.worker.parts, change_of=partial(change_of, works.by_kind))

    def run(self, request: Request) -> str:
        """How it ended; one that has asked for approval waits."""
        self.worker.runs.add(request, request.target.resource)
        execute(self.parts, request.id, dump_request(request), Recorder())
        ended = self.worker.runs.outcomes.get(request.id)
        return "waiting" if ended is None else ended.status

    @property
    def api(self) -> tuple[int, str]:
        running = self.apps.running("api")
        return running["instance_count"], running["instance_size_slug"]


@pytest.fixture
def company() -> Company:
    return Company()


def asked(**options: Any) -> Request:
    return request_for("set_capacity", API, options=options)


def test_count_and_size_are_changed_by_one_write(company: Company) -> None:
    request = asked(replicas=10, size=M)
    assert company.run(request) == "succeeded"
    assert company.api == (10, M)
    assert company.apps.writes.effective == ["update_app"]
    said = company.worker.said()[0]
    assert "Done: api: replicas 2 → 10; size professional-xs → professional-m" in said
    plan = company.worker.runs.rows[request.id].plan
    assert plan is not None
    assert price_change(plan) == "$24 → $500 a month (+$476)"


def test_what_is_there_already_is_no_write_and_wakes_nobody(company: Company) -> None:
    assert company.run(asked(replicas=2, size=XS)) == "held"
    assert company.apps.writes.effective == []
    assert company.worker.pager.open == {}


def test_an_exact_rule_takes_away_when_nobody_asks_for_more(company: Company) -> None:
    company.apps.set_count("api", 6)
    assert company.run(asked(replicas=3, exact=True)) == "succeeded"
    assert company.api == (3, XS)


@pytest.mark.parametrize(
    ("options", "status", "api"),
    [
        ({"replicas": 3, "exact": True}, "held", (6, XS)),
        ({"replicas": 8, "size": XS, "exact": True}, "succeeded", (8, XS)),
    ],
    ids=["it takes away", "it adds"],
)
def test_what_would_take_away_is_held_while_another_alert_asks_for_more(
    company: Company, options: dict[str, Any], status: str, api: tuple[int, str]
) -> None:
    company.apps.set_count("api", 6)
    company.worker.ledger.wanting = [Asker("High CPU Usage", fires=True)]
    request = asked(**options)
    assert company.run(request) == status
    assert company.api == api
    if status == "held":
        outcome = company.worker.runs.outcomes[request.id]
        assert "High CPU Usage fires and asks for more of api" in outcome.reason


def test_more_but_smaller_instances_are_held_while_another_alert_asks_for_more(
    company: Company,
) -> None:
    """A change in both ways is judged by the stricter one."""
    company.apps.spec["services"][0]["instance_size_slug"] = L
    company.worker.ledger.wanting = [Asker("High Memory Usage", fires=True)]
    assert company.run(asked(replicas=8, size=S, exact=True)) == "held"
    assert company.apps.writes.effective == []


def test_a_person_takes_away_whoever_asks_for_more(company: Company) -> None:
    company.apps.set_count("api", 6)
    company.worker.ledger.wanting = [Asker("High CPU Usage", fires=True)]
    request = replace(
        asked(), origin=Origin(PERSON, "anna", "too dear"), wanted=(Wanted("replicas", to=3),)
    )
    assert company.run(request) == "succeeded"
    assert company.api == (3, XS)


def test_what_a_person_holds_is_not_taken_away_by_an_exact_rule(company: Company) -> None:
    company.apps.set_count("api", 6)
    now = company.worker.clock.time()
    company.worker.controls.rows.append(
        Control("h-1", HOLD, "anna", "the exam", now, now + 900.0, "api")
    )
    assert company.run(asked(replicas=3, exact=True)) == "held"
    assert company.api == (6, XS)


def test_a_size_that_was_raised_by_two_steps_goes_back_by_both(company: Company) -> None:
    company.apps.spec["services"][0]["instance_size_slug"] = M
    addition = Addition("api.up.1", "high-cpu", XS, M, 0.0, ("alert-1",))
    entry = Entry("api", "size", M, 0.0, (addition,))
    of = replace(
        rule(returns=Return(600.0)),
        action="set_capacity",
        options={"replicas": None, "size": M, "exact": False},
    )
    back = replace(return_request(entry, Step(addition, XS), of, book(of)), id="api.return.1")
    assert (back.origin.kind, back.wanted) == (RETURN, (Wanted("size", by=-2),))
    plan = change_of(works_on(company.worker.clock, apps=company.apps).by_kind, back)
    made = plan.plan(back, plan.work.observe(API))
    assert getattr(made, "after", made) == XS
