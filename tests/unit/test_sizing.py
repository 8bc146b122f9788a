from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from service.catalogue.droplet.target import DropletTarget
from service.catalogue.registry import kind_of_size, kind_spec
from service.catalogue.steps.ladder import size_wanted
from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.durations import parse_duration

LADDER = DropletTarget("vm", "1", ("small", "medium", "large"))
DROPLET, APP, DATABASE = "droplet", "app_platform", "supabase"


@pytest.mark.parametrize(
    ("kind", "size", "price"),
    [
        (DROPLET, "s-1vcpu-1gb", 6),
        (DROPLET, "s-1vcpu-2gb", 12),
        (DROPLET, "s-2vcpu-2gb", 18),
        (DROPLET, "s-2vcpu-4gb", 24),
        (DROPLET, "s-4vcpu-8gb", 48),
        (DROPLET, "c-2", 42),
        (DROPLET, "c-4", 84),
        (DROPLET, "m-2vcpu-16gb", 84),
        (APP, "basic-xxs", 5),
        (APP, "basic-xs", 10),
        (APP, "basic-s", 20),
        (APP, "professional-xs", 12),
        (APP, "professional-s", 25),
        (APP, "professional-m", 50),
        (APP, "professional-l", 150),
        (DATABASE, "ci_micro", 10),
        (DATABASE, "ci_small", 15),
        (DATABASE, "ci_medium", 60),
        (DATABASE, "ci_large", 111),
        (DATABASE, "ci_xlarge", 210),
        (DATABASE, "ci_2xlarge", 410),
        (DATABASE, "ci_4xlarge", 964),
        (DATABASE, "ci_8xlarge", 1870),
        (DATABASE, "ci_12xlarge", 2800),
        (DATABASE, "ci_16xlarge", 3738),
        (APP, "apps-s-1vcpu-1gb", 12),
        (APP, "apps-d-2vcpu-4gb", 78),
        (APP, "apps-s-16vcpu", None),
        (DROPLET, "ci_micro", None),
    ],
)
def test_a_size_costs_what_the_vendor_documents_and_an_unlisted_one_is_not_free(
    kind: str, size: str, price: float | None
) -> None:
    assert kind_spec(kind).prices.documented.get(size) == price


@pytest.mark.parametrize(
    ("current", "by", "following"),
    [
        ("small", 1, "medium"),
        ("medium", 1, "large"),
        ("small", 2, "large"),
        ("medium", 5, "large"),
        ("large", -1, "medium"),
        ("medium", -2, "small"),
    ],
)
def test_a_step_on_the_ladder_never_goes_beyond_its_ends(
    current: str, by: int, following: str
) -> None:
    assert size_wanted(LADDER, Wanted("size", by=by), current) == following


@pytest.mark.parametrize(
    ("current", "by", "guard", "at_bound"),
    [("large", 1, "ladder_top", True), ("small", -1, "ladder_bottom", False)],
)
def test_only_a_step_up_can_be_at_the_bound(
    current: str, by: int, guard: str, at_bound: bool
) -> None:
    held = size_wanted(LADDER, Wanted("size", by=by), current)
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == (guard, at_bound)


@pytest.mark.parametrize("current", ["huge", ""], ids=["not on the ladder", "not named"])
def test_no_step_is_taken_from_a_size_that_is_not_on_the_ladder(current: str) -> None:
    held = size_wanted(LADDER, Wanted("size", by=1), current)
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.facts) == ("ladder", {"current": current})
    assert "nothing was changed" in held.reason


def test_a_known_size_belongs_to_one_kind_of_target() -> None:
    assert kind_of_size("c-2") == DROPLET
    assert kind_of_size("professional-s") == APP
    assert kind_of_size("ci_large") == DATABASE
    assert kind_of_size("apps-d-1vcpu-1gb") == APP
    assert kind_of_size("apps-d-new") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1d12h", 129_600),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("1s500ms", 1.5),
    ],
)
def test_a_duration_is_read_as_prometheus_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-1m", "1.5h", "30m1h", "1m1m", "10min"])
def test_what_prometheus_does_not_take_as_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is not a duration")):
        parse_duration(text)


@pytest.mark.parametrize("text", ["101y", "900000w", "9999999999y", f"{'9' * 5000}s"])
def test_a_duration_longer_than_calendars_reach_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"' is longer than 36500d, the longest that is allowed$"):
        parse_duration(text)


def test_the_longest_duration_counted_from_today_is_still_a_date() -> None:
    assert datetime.now(UTC) + parse_duration("100y") < datetime.max.replace(tzinfo=UTC)
