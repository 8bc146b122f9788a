"""What `runbookd check` says of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.jobs.jobs import LATEST, SKIP
from service.rulebook import load_rulebook, packaged
from tests.unit.rulebook_files import ENV, GOOD, PACK, load, told

MORE = "action: horizontal_scale, target: api"


def jobs(*lines: str, top: str = "") -> str:
    """The good file, with jobs from line 10 on."""
    return GOOD + top + "jobs:\n" + "".join(f"  {line}\n" for line in lines)


def test_jobs_are_read_with_their_options_checked_and_defaults_put_in(tmp_path: Path) -> None:
    book = load(
        tmp_path,
        jobs(
            f"morning: {{every: '0  7 * * MON-FRI', {MORE}, with: {{step: 2}}}}",
            f"noon: {{every: '0 12 * * *', zone: UTC, {MORE}, catch_up: skip}}",
            top="zone: America/New_York\n",
        ),
    )
    morning, noon = book.jobs["morning"], book.jobs["noon"]
    assert (morning.cron.text, morning.cron.zone) == ("0 7 * * mon-fri", "America/New_York")
    assert (morning.action, morning.target, dict(morning.options)) == (
        "horizontal_scale",
        "api",
        {"step": 2},
    )
    assert (morning.catch_up, noon.catch_up, noon.cron.zone) == (LATEST, SKIP, "UTC")
    assert dict(noon.options) == {"step": 1}


def test_a_job_is_part_of_the_hash_and_none_leaves_it_as_it_was(tmp_path: Path) -> None:
    without = load(tmp_path, GOOD).hash
    nine = load(tmp_path, jobs(f"more: {{every: '0 9 * * *', {MORE}}}")).hash
    ten = load(tmp_path, jobs(f"more: {{every: '0 10 * * *', {MORE}}}")).hash
    assert len({without, nine, ten}) == 3


def test_a_target_that_only_a_job_uses_is_used(tmp_path: Path) -> None:
    extra = "  vm2: {kind: droplet, droplet: 102, sizes: [s-1vcpu-1gb, s-1vcpu-2gb]}\nrules:"
    job = "bigger: {every: '0 9 * * *', action: vertical_scale, target: vm2}"
    assert "vm2" in load(tmp_path, jobs(job).replace("rules:", extra, 1)).targets


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("a: 9", "1.yml:10: job a: a job is a mapping"),
        ("A: {every: '0 9 * * *', action: ignore}", "the name must be 1 to 63 of a-z"),
        (f"a: {{{MORE}}}", "every is missing"),
        (f"a: {{every: '0 0 9 * * *', {MORE}}}", "every: '0 0 9 * * *' has six fields"),
        (f"a: {{every: '0 9 31 2 *', {MORE}}}", "the calendar has no such day"),
        (f"a: {{every: 'h 9 * * *', {MORE}}}", "random field"),
        (f"a: {{every: 9, {MORE}}}", "every must be text"),
        (f"a: {{every: '0 9 * * *', zone: Mars/Base, {MORE}}}", "'Mars/Base' is no time zone"),
        (f"a: {{every: '0 9 * * *', {MORE}, catch_up: all}}", "catch_up must be"),
        (f"a: {{every: '0 9 * * *', {MORE}, when: x}}", "unknown key when"),
        ("a: {every: '0 9 * * *', action: investigate}", "is about alerts, and a job has none"),
        ("a: {every: '0 9 * * *', action: page_oncall}", "is about alerts, and a job has none"),
        ("a: {every: '0 9 * * *', action: decide}", "is about alerts, and a job has none"),
        ("a: {every: '0 9 * * *', action: horizontal_scales, target: api}", "unknown action"),
        ("a: {every: '0 9 * * *'}", "action is missing"),
        ("a: {every: '0 9 * * *', action: horizontal_scale}", "target is missing"),
        ("a: {every: '0 9 * * *', action: horizontal_scale, target: apo}", "unknown target 'apo'"),
        ("a: {every: '0 9 * * *', action: horizontal_scale, target: vm}", "cannot change target"),
        (f"a: {{every: '0 9 * * *', {MORE}, with: {{step: 0}}}}", "with: step must be at least 1"),
        (f"a: {{every: '0 9 * * *', {MORE}, with: {{size: 1}}}}", "with: unknown key size"),
    ],
)
def test_what_is_wrong_with_a_job_is_told_with_its_line(
    tmp_path: Path, job: str, said: str
) -> None:
    (error,) = told(tmp_path, jobs(job))
    assert said in error
    assert error.startswith("1.yml:10: job")


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ("9", "costs must be a mapping of names to dollars a month"),
        ("{plan: free}", "plan must be dollars a month above 0, such as 25, not 'free'"),
        ("{plan: 0}", "plan must be dollars a month above 0"),
        ("{plan: .inf}", "plan must be dollars a month above 0"),
        ("{plan: true}", "plan must be dollars a month above 0"),
        ("{Plan A: 1}", "the name must be 1 to 63 of a-z"),
    ],
)
def test_costs_that_are_no_dollars_are_refused_by_line(
    tmp_path: Path, costs: str, said: str
) -> None:
    (error,) = told(tmp_path, f"{GOOD}costs: {costs}\n")
    assert error.startswith("1.yml:9: ")
    assert said in error


def test_costs_are_read_exactly_and_two_files_may_not_differ(tmp_path: Path) -> None:
    text = GOOD + "costs: {plan: 25, licence: 0.1}\n"
    assert {name: str(each) for name, each in load(tmp_path, text).costs.items()} == {
        "plan": "25",
        "licence": "0.1",
    }
    (error,) = told(tmp_path, text, "costs: {plan: 26}\n")
    assert "another file says something else of plan" in error


def test_the_shipped_jobs_are_valid_and_installed() -> None:
    book = load_rulebook([PACK, PACK.parent / "jobs.yml"], ENV)
    assert book.jobs["cost-monitor"].action == "cost_report"
    assert packaged("jobs.yml").read_text() == (PACK.parent / "jobs.yml").read_text()


def test_jobs_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    (error,) = told(tmp_path, GOOD + "jobs: []\n")
    assert "jobs must be a mapping of names to jobs" in error


def test_two_jobs_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    second = f"jobs:\n  more: {{every: '0 9 * * *', {MORE}}}\n"
    (error,) = told(tmp_path, jobs(f"more: {{every: '0 9 * * *', {MORE}}}"), second)
    assert error.startswith("2.yml:2: job more: another job has the same name at 1.yml:10")


def test_a_time_that_the_clock_skips_or_shows_twice_is_warned_of(tmp_path: Path) -> None:
    book = load(
        tmp_path,
        jobs(
            f"a: {{every: '30 2 * * *', zone: America/New_York, {MORE}}}",
            f"b: {{every: '30 1 * * *', zone: America/New_York, {MORE}}}",
            f"c: {{every: '*/5 * * * *', zone: America/New_York, {MORE}}}",
        ),
    )
    skipped, twice = [each for each in book.warnings if "every:" in each]
    assert "does not have 02:30 on 2026-03-08; the job is due at the moment of the" in skipped
    assert "has twice 01:30 on 2026-11-01; the job is due the first time" in twice
