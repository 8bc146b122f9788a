"""A load test's arrivals, refusals, end and verdict, and its file: without any request."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from service.domain.load import (
    Arrived,
    LoadTest,
    Phase,
    Record,
    Sample,
    Step,
    percentile,
    refusal,
    results,
    too_many_errors,
    verdict,
)
from service.rulebook.errors import RuleBookInvalid
from service.rulebook.kpis import load_kpis
from service.rulebook.load_tests import load_test
from service.rulebook.pack import packaged

KPIS = load_kpis(packaged("kpis.yml"))
SHIPPED = packaged("load.yml")
LOOPBACK = "http://127.0.0.1:8090"
TEST = LoadTest(
    phases=(Phase("small", 10, 5), Phase("large", 20, 100)),
    steps=(Step("login", "POST", "/auth/login"), Step("quiz", "GET", "/api/quiz")),
    users=3,
    email="u{number}@example.com",
    think_s=0,
    allow_hosts=("staging.example.com",),
    most_requests=10_000,
    most_seconds=60,
    errors=0.05,
    errors_s=10,
)


def test_the_shipped_file_is_the_runbooks_four_phases_in_journeys() -> None:
    test = load_test(SHIPPED)
    assert [(each.seconds, each.rate) for each in test.phases] == [
        (60, 10), (300, 100), (300, 500), (120, 1000)
    ]  # fmt: skip
    assert test.requests == 4 * 300_600
    assert [each.path for each in test.steps] == [
        "/auth/login", "/api/quiz", "/api/quiz/submit", "/api/quiz/results"
    ]  # fmt: skip
    assert "limits.requests" in refusal(test, LOOPBACK), "the whole of it has to be meant"
    assert refusal(test.scaled(0.01, 1), LOOPBACK) == ""
    assert test.scaled(0.01, 1).requests == 12_024


@pytest.mark.parametrize(("rate", "seconds"), [(1, 1), (10, 60), (0.1, 60), (3, 0.5), (0.1, 1)])
def test_arrivals_are_as_many_as_planned_evenly_and_within_their_phase(
    rate: float, seconds: float
) -> None:
    phase = Phase("any", seconds, rate)
    moments = list(phase.arrivals())
    assert len(moments) == round(rate * seconds)
    assert all(0 < moment < seconds for moment in moments)
    gaps = {round(b - a, 9) for a, b in pairwise(moments)}
    assert len(gaps) <= 1


@pytest.mark.parametrize(
    "host",
    [LOOPBACK, "http://localhost:1", "http://[::1]:80", "https://staging.example.com/base"],
)
def test_this_machine_and_what_is_named_may_be_tested(host: str) -> None:
    assert refusal(TEST, host) == ""


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("https://api.quizmentor.app", "not among `allow_hosts` of the file (staging.example.com)"),
        ("https://staging.example.com.evil.example", "not among `allow_hosts`"),
        ("https://sub.staging.example.com", "not among `allow_hosts`"),
        ("http://127.0.0.1@api.quizmentor.app", "is no address of a service"),
        ("http://10.0.0.1", "not among `allow_hosts`"),
        ("http://[::1", "is no address of a service"),
        ("http://localhost:99999", "is no address of a service"),
        ("staging.example.com", "is no address of a service"),
        ("ftp://localhost", "is no address of a service"),
        ("", "is no address of a service"),
    ],
)
def test_any_other_host_is_refused_with_what_to_do(host: str, sentence: str) -> None:
    assert sentence in refusal(TEST, host)


def test_more_than_the_limits_allow_is_refused_and_nothing_at_all_too() -> None:
    assert "4,100 requests, and the file allows 4,099" in refusal(
        replace(TEST, most_requests=4_099), LOOPBACK
    )
    assert "30 s, and the file allows 29 s" in refusal(replace(TEST, most_seconds=29), LOOPBACK)
    assert "no journey begins" in refusal(TEST.scaled(0.0001, 0.01), LOOPBACK)


def _samples(count: int, failed: int, until: float) -> list[Sample]:
    """So many evenly over the ten seconds before `until`, the first ones failed."""
    return [
        Sample(0, "quiz", 503 if each < failed else 200, until - 10 + each * 10 / count, 5.0)
        for each in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "failed", "now", "ends"),
    [
        (100, 6, 20.0, True),
        (100, 5, 20.0, False),  # not more than the share
        (19, 19, 20.0, False),  # too few to say
        (20, 2, 20.0, True),
        (100, 100, 9.9, False),  # the window is not full yet
        (100, 100, 40.0, False),  # long ago
    ],
)
def test_too_many_errors_within_the_time_end_it(
    count: int, failed: int, now: float, ends: bool
) -> None:
    assert bool(too_many_errors(TEST, _samples(count, failed, 20.0), now)) is ends


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([], 95) is None
    assert percentile([7.0], 50) == 7.0
    assert percentile([float(each) for each in range(1, 101)], 95) == 95.0
    assert percentile([float(each) for each in range(1, 102)], 99) == 100.0


def _record(
    ms: float = 50.0, status: int = 200, *, begun: int = 50, late_ms: float = 1.0, ended: str = ""
) -> Record:
    samples = [Sample(0, "quiz", status, each / 10, ms) for each in range(100)]
    return Record(samples, [Arrived(0, late_ms, True)] * begun, 1, ended)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (_record(), "met"),
        (_record(ms=600), "missed"),
        (_record(status=503), "missed"),
        (_record(status=0), "missed"),
        (_record(status=401), "met"),  # the KPI counts what the service gets wrong
        (_record(late_ms=900), "met"),  # lateness would have made it worse
        (_record(ms=600, late_ms=900), "unsure"),  # and may be why it is bad
        (_record(begun=49), "unsure"),  # the service had it easier
        (_record(ms=600, begun=20), "missed"),  # even so
        (_record(ended="It was ended by Ctrl-C."), "unsure"),
        (_record(ms=600, ended="It was ended by Ctrl-C."), "missed"),
    ],
)
def test_the_verdict_says_only_what_is_sure(record: Record, said: str) -> None:
    assert verdict(record, results(TEST, record, KPIS)) == said


def test_a_phase_that_is_not_judged_misses_without_a_verdict() -> None:
    test = replace(TEST, phases=(replace(TEST.phases[0], judged=False),))
    found = results(test, _record(ms=600), KPIS)
    assert "response_time" in found[0].missed
    assert verdict(_record(), found) == "met"


@pytest.mark.parametrize(
    ("rate", "answers", "met"),
    [
        (400, 8_000, None),  # 800 requests a second are no more than the KPI asks from
        (401, 8_020, True),
        (401, 7_900, False),  # 790 of 802 are not 99 %
        (2000, 10_000, True),  # no more than the target is asked for
        (2000, 9_990, False),
    ],
)
def test_throughput_is_judged_where_enough_is_asked_for(
    rate: float, answers: int, met: bool | None
) -> None:
    test = replace(TEST, phases=(Phase("one", 10, rate),))
    samples = [Sample(0, "quiz", 200, each * 10 / answers, 5.0) for each in range(answers)]
    (found,) = results(test, Record(samples, [], 1, ""), KPIS)
    (judged,) = [each for each in found.kpis if each.kpi.name == "throughput"]
    assert judged.met is met
    (cache,) = [each for each in found.kpis if each.kpi.name == "cache_hit_ratio"]
    assert (cache.met, cache.why) == (None, "a load test does not measure it")


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ("duration: 60s", "duration: 1 minute", "'1 minute' is not a duration"),
        ("duration: 60s", "duration: 0s", "duration has to be longer than 0"),
        ("rate: 100}", "rate: -1}", "a whole number of journeys a second"),
        ("name: Peak Load", "name: Warm up", "Warm up is the name of two of the phases"),
        ("path: /api/quiz}", "path: https://x.example/}", "a path that begins with /"),
        ("method: GET", "method: BREW", "method"),
        ("limits: {requests: 20000, seconds: 900}", "", "limits missing"),
        ("errors: 5%", "errors: some", "a share in percent, such as 5%"),
        ("allow_hosts: []", "allow_hosts: all", "allow_hosts"),
        ("allow_hosts: []", "hosts: []", "unknown key hosts"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, was: str, now: str, sentence: str
) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert was in text
    file = tmp_path / "load.yml"
    file.write_text(text.replace(was, now, 1), encoding="utf-8")
    with pytest.raises(RuleBookInvalid) as refused:
        load_test(file)
    assert sentence in str(refused.value)
    assert f"{file}:" in str(refused.value)
