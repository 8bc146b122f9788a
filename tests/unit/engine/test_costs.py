"""Runs that report what the month costs: who is told of what, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from service.catalogue.registry import checked_options
from service.domain.costs.costs import month_name
from service.domain.decisions.budget import Budget
from service.domain.decisions.policy import SHADOW, Policy
from service.domain.decisions.requests import JOB, PERSON, Origin, Request
from service.domain.errors import FailureKind, VendorError
from service.domain.rules.rules import RuleBook
from service.ports.bills import Resource
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import telling_for

D = Decimal


def book(monthly: float | None = 200.0) -> RuleBook:
    budget = None if monthly is None else Budget(monthly)
    return RuleBook((), {}, "0123456789ab", policy=Policy(budget=budget))


def request(number: int = 1, tell: str = "thresholds") -> Request:
    run = f"cost-monitor.job.{number}"
    options = checked_options("cost_report", {"tell": tell})
    made = telling_for("cost_report", run, run, options=options)
    return replace(made, origin=Origin(JOB, "cost-monitor", "it is due"))


def worker_with(dollars: str | None) -> FakeWorker:
    """A worker whose account has booked this much and runs nothing."""
    worker = FakeWorker()
    worker.book = book()
    worker.bills.dollars = None if dollars is None else D(dollars)
    return worker


def run(worker: FakeWorker, number: int = 1, tell: str = "thresholds") -> str:
    asked = request(number, tell)
    worker.execute(asked)
    return str(worker.runs.outcomes[asked.id].reason)


def test_below_80_percent_nobody_is_told() -> None:
    worker = worker_with("110")
    assert "$110.00; nobody need be told" in run(worker)
    assert worker.said() == []


def test_a_threshold_is_told_once_a_month_and_again_in_the_next() -> None:
    worker = worker_with("165")
    run(worker, 1)
    run(worker, 2)
    (said,) = worker.said()
    assert "is projected to cost $165.00: 80 % or more of the budget of $200.00" in said
    month = month_name(worker.clock.time())
    while month_name(worker.clock.time()) == month:
        worker.clock.sleep(86_400.0)
    run(worker, 3)
    assert len(worker.said()) == 2


def test_each_higher_threshold_is_told_and_120_percent_pages_once() -> None:
    worker = worker_with("165")
    run(worker, 1)
    for number, dollars in ((2, "205"), (3, "250"), (4, "260")):
        worker.bills.dollars = D(dollars)
        run(worker, number)
    titles = [each.partition(" or more of the budget")[0] for each in worker.said()]
    assert [each.rpartition(": ")[2] for each in titles] == ["80 %", "100 %", "120 %"]
    (page,) = worker.pager.open.values()
    assert "125 % of the budget of $200.00" in page.summary
    assert page.severity == "error"


def test_a_month_that_begins_far_over_the_budget_is_told_and_paged_with_one_message() -> None:
    worker = worker_with("300")
    run(worker, 1)
    worker.bills.dollars = D("210")
    run(worker, 2)
    (said,) = worker.said()
    assert "120 % or more" in said
    assert len(worker.pager.open) == 1


def test_a_report_that_is_always_told_lists_what_costs_most() -> None:
    worker = worker_with("10")
    worker.bills.resources = (
        Resource("volume", "1", "data", gigabytes=D(500)),
        Resource("database", "2", "main (pg)", "db-x"),
        Resource("reserved IP", "192.0.2.7", "192.0.2.7", used=False),
    )
    run(worker, tell="always")
    (message,) = worker.messenger.messages.values()
    assert [name for name, _ in message.fields] == [
        "database main (pg)",
        "volume data",
        "reserved IP 192.0.2.7",
    ]
    assert dict(message.fields)["database main (pg)"].startswith("unknown")
    assert "not all of it: nobody knows what database main (pg) costs" in message.text


def test_a_bill_that_cannot_be_read_is_told_as_unknown_and_reaches_no_threshold() -> None:
    worker = worker_with("10")
    worker.bills.error = VendorError("digitalocean", "read", FailureKind.TEMPORARY, "It is down.")
    reason = run(worker, tell="always")
    assert "unknown" in reason
    (said,) = worker.said()
    assert "What DigitalOcean has booked is unknown: DigitalOcean: read: It is down." in said
    assert "So what the month comes to is unknown." in said
    assert worker.pager.open == {}


def test_without_a_budget_no_threshold_is_reached() -> None:
    worker = worker_with("9999")
    worker.book = book(None)
    assert "nobody need be told" in run(worker)


def test_an_execution_that_died_before_its_record_tells_nothing_twice() -> None:
    worker = worker_with("165")
    asked = request()
    steps = worker.execute(asked)
    del steps.records["tell"]
    worker.execute(asked, steps)
    assert len(worker.said()) == 1


def test_slack_that_refuses_for_good_fails_the_run_and_pages() -> None:
    worker = worker_with("165")
    refused = VendorError("slack", "post", FailureKind.PERMANENT, "channel_not_found")
    worker.messenger.problem = refused
    assert "nobody could be told" in run(worker)
    assert len(worker.pager.open) == 1


def test_months_are_those_of_utc() -> None:
    assert month_name(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()) == "2026-11"
    assert month_name(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) == "2026-12"


def test_a_plan_prints_the_figures_tells_nobody_and_takes_no_threshold() -> None:
    worker = worker_with("165")
    planned = replace(
        request(1),
        id="cost_report.plan.1",
        origin=Origin(PERSON, "vera", "a look"),
        claim="cost_report.plan",
        policy=Policy(mode=SHADOW),
    )
    worker.execute(planned)
    ended = worker.runs.outcomes[planned.id]
    assert ended.status == "shadow"
    assert "DigitalOcean has booked $165.00 this month" in ended.reason
    assert "82 % of the budget of $200.00" in ended.reason
    assert worker.said() == []
    run(worker, 2)
    assert len(worker.said()) == 1, "the threshold is still to be told"
