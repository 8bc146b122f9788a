"""Runs that tell of a week: the message, its picture, and what is never sent twice."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from service.domain.costs.week import days_of, week_before
from service.domain.decisions.policy import SHADOW, Policy
from service.domain.decisions.requests import JOB, PERSON, Origin, Request
from service.domain.errors import FailureKind, VendorError
from service.domain.levels.levels import GROWTH, Bounds, Level, Levels, Statement
from service.domain.readings.readings import DAY_S, Reading
from service.domain.rules.rules import RuleBook
from service.domain.windows import Window
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import telling_for

RUN = "weekly-report.job.1"


class Figure:
    """A figure of matplotlib that notes the bars that are drawn."""

    bars: list[Any]

    def __init__(self, **_: Any) -> None:
        type(self).bars = []

    def subplots(self, rows: int, columns: int) -> list[Figure]:
        return [self] * (rows * columns)

    def bar(self, names: Any, heights: Any) -> None:
        self.bars.append((names, heights))

    def __getattr__(self, name: str) -> Any:
        """No label and no axis is looked at."""
        return lambda *_, **__: (0.0, 1.0)

    def savefig(self, content: Any, *, format: str) -> None:  # noqa: A002 - matplotlib's own
        content.write(f"a {format}".encode())


@pytest.fixture
def matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("matplotlib.figure")
    module.Figure = Figure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "matplotlib", types.ModuleType("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", module)


def request() -> Request:
    made = telling_for("weekly_report", RUN, RUN)
    return replace(made, origin=Origin(JOB, "weekly-report", "it is due"))


def reading(metric: str, target: str, at: float, mean: float) -> Reading:
    return Reading(metric, target, at, mean, mean / 2, mean * 2, mean, 24)


def worker(*, measured: bool = True) -> FakeWorker:
    """A worker that has done something in the week before, and in the one before that."""
    made = FakeWorker()
    made.book = RuleBook((), {}, "0123456789ab", policy=Policy())
    since, until = week_before(made.clock.time())
    made.weeks.asked = [
        (since - 1.0, "horizontal_scale", "failed"),
        (since, "horizontal_scale", "succeeded"),
        (since + 5.0, "horizontal_scale", "succeeded"),
        (since + 6.0, "horizontal_scale", "held"),
        (until - 1.0, "page_oncall", "succeeded"),
        (until, "page_oncall", "succeeded"),
    ]
    if measured:
        made.weeks.read = [
            reading("instances", "api", since, 3.0),
            reading("instances", "worker", since, 1.0),
            reading("dollars", "api", since, 62.0),
            reading("p95", "", since, 300.0),
            reading("p95", "", since + DAY_S, 500.0),
        ]
    return made


def ended(ours: FakeWorker) -> tuple[str, str]:
    outcome = ours.runs.outcomes[RUN]
    return outcome.status, outcome.reason


@pytest.mark.usefixtures("matplotlib")
def test_a_week_is_one_message_with_its_picture_in_the_thread() -> None:
    ours = worker()
    ours.execute(request())
    ((ref, message),) = ours.messenger.messages.items()
    assert message.title.endswith(": 4 runs, 1 page by rules")
    assert "Runs: 1 held, 3 succeeded." in message.text
    assert dict(message.fields) == {
        "horizontal_scale": "1 held, 2 succeeded",
        "page_oncall": "1 succeeded",
        "p95": "400.0 ms on average, 1,000.0 ms at most (2 days)",
    }
    ((thread, picture),) = ours.messenger.pictures
    assert (thread, picture.content) == (ref, b"a png")
    assert ended(ours) == ("succeeded", message.title)


@pytest.mark.usefixtures("matplotlib")
def test_the_picture_has_seven_days_and_a_gap_where_nothing_was_measured() -> None:
    ours = worker()
    ours.execute(request())
    (places, dollars), (_, instances) = Figure.bars
    assert len(places) == len(dollars) == 7
    assert instances[0] == 4.0
    assert all(each != each for each in instances[1:])  # noqa: PLR0124 - only NaN is not itself


def test_a_day_costs_its_share_of_the_month() -> None:
    first_of_january = 1_767_225_600.0
    (day, *_) = days_of([reading("dollars", "api", first_of_january, 62.0)], first_of_january)
    assert day == {"day": "2026-01-01", "instances": None, "dollars": pytest.approx(2.0)}


def test_without_matplotlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ours = worker()
    ours.execute(request())
    (said,) = ours.said()
    assert "No picture: matplotlib is not installed" in said
    assert ours.messenger.pictures == []
    assert ended(ours)[0] == "succeeded"


@pytest.mark.usefixtures("matplotlib")
def test_a_token_that_may_not_upload_leaves_the_text_and_its_reason() -> None:
    ours = worker()
    ours.messenger.no_pictures = VendorError(
        "slack", "upload", FailureKind.PERMANENT, "missing_scope (needed: files:write)"
    )
    ours.execute(request())
    (said,) = ours.said()
    assert "No picture: Slack: upload: missing_scope (needed: files:write)" in said
    assert ended(ours)[0] == "succeeded"


@pytest.mark.usefixtures("matplotlib")
def test_a_week_without_readings_has_no_picture() -> None:
    ours = worker(measured=False)
    ours.execute(request())
    (said,) = ours.said()
    assert "No picture: no readings of instances or dollars" in said
    assert ours.messenger.pictures == []


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("lost", ["tell", "picture"])
def test_an_execution_that_died_before_its_record_sends_nothing_twice(lost: str) -> None:
    ours = worker()
    steps = ours.execute(request())
    del steps.records[lost]
    ours.execute(request(), steps)
    (said,) = ours.said()
    assert "No picture" not in said
    assert len(ours.messenger.pictures) == 1


@pytest.mark.usefixtures("matplotlib")
def test_an_upload_that_may_have_been_sent_is_not_sent_again_and_the_message_says_so() -> None:
    ours = worker()
    ours.runs.add(request())
    ours.runs.intend(RUN, "uploads", 0.0)
    ours.execute(request())
    (said,) = ours.said()
    assert "may be there or not" in said
    assert ours.messenger.pictures == []


@pytest.mark.usefixtures("matplotlib")
def test_slack_that_is_away_gets_the_text_later_and_no_picture() -> None:
    ours = worker()
    ours.messenger.problem = VendorError("slack", "post", FailureKind.TEMPORARY, "It is down.")
    ours.execute(request())
    assert "waits for Slack, without its picture" in ended(ours)[1]
    assert ours.messenger.pictures == []


def test_slack_that_refuses_for_good_fails_the_run_and_pages() -> None:
    ours = worker()
    ours.messenger.problem = VendorError("slack", "post", FailureKind.PERMANENT, "not_in_channel")
    ours.execute(request())
    assert ended(ours)[0] == "failed"
    assert len(ours.pager.open) == 1


def test_a_plan_prints_the_week_and_tells_nobody() -> None:
    ours = worker()
    planned = replace(
        request(),
        claim="weekly_report.plan",
        origin=Origin(PERSON, "vera", "a look"),
        policy=Policy(mode=SHADOW),
    )
    ours.execute(planned)
    status, reason = ended(ours)
    assert status == "shadow"
    assert "4 runs, 1 page by rules. Runs: 1 held, 3 succeeded." in reason
    assert ours.said() == []


def test_a_growth_that_is_under_way_is_told_beside_what_was_measured() -> None:
    """The load has stood still but for its weekdays, so what there was at the start is enough."""
    ours = worker()
    now = ours.clock.time()
    since, _ = week_before(now)
    start = datetime.fromtimestamp(since, UTC).date()
    book = RuleBook((), {}, "0123456789ab", policy=Policy(), levels=growing(start))
    ours.book = book
    ours.levels.grown = {(f"gradual from {start}", "api", "replicas"): 3}
    ours.weeks.read = [
        reading("rps", "", since - day * DAY_S, 100.0 + day % 7) for day in range(-6, 54)
    ]
    ours.execute(request())
    (message,) = ours.messenger.messages.values()
    assert "replicas of api last week: at least 4 planned, no reading; next week: 5 planned" in (
        message.text
    )
    assert "and by the readings 3" in message.text


def growing(start: date) -> Levels:
    """1.2 times as many in the first week, and 1.5 times from then on."""
    held = MappingProxyType({("api", "replicas"): Statement(factor=1.2)})
    more = MappingProxyType({("api", "replicas"): Statement(factor=1.5)})
    second = (start + timedelta(days=7)).isoformat()
    weeks = (
        (start.isoformat(), (start + timedelta(days=6)).isoformat(), held),
        (second, "9999-12-31", more),
    )
    levels = tuple(
        Level(
            f"gradual.week-{number}",
            GROWTH,
            (Window(first=first, last=last),),
            hold,
            grows=f"gradual from {start}",
        )
        for number, (first, last, hold) in enumerate(weeks, start=1)
    )
    return Levels(levels, MappingProxyType({("api", "replicas"): Bounds(2, 10)}))
