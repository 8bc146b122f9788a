"""A load test: when users arrive, what they do, when it ends early, what it has shown. Pure.

The model is open: arrivals are planned and come whatever becomes of those before them, as users do.
A test with a fixed number of users would wait for a slow service, and so spare it.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from service.domain.kpis.kpi import Kpi

MOST_OPEN = 900
"""Journeys at the same time, each with a connection: most systems give a process 1,024 files."""
FEWEST_JUDGED = 20
"""Answers in the window before errors can end a test: one of three would be 33 %."""
COMPLETE = 0.99
"""The share of the planned arrivals that has to have begun, or the service had it easier."""
LATE_MS = 250.0
"""By how much the 99th percentile of arrivals may be late: half of the KPI's p95. Lateness counts
as waiting, so a KPI that is missed then may be the fault of the machine that sends."""
FROM_5XX = 500
FROM_4XX = 400


@dataclass(frozen=True, slots=True)
class Phase:
    """`rate` journeys begin each second, for `seconds`. `judged` is whether it counts for the
    verdict."""

    name: str
    seconds: float
    rate: float
    judged: bool = True

    @property
    def planned(self) -> int:
        """How many journeys begin."""
        return round(self.seconds * self.rate)

    def arrivals(self) -> Iterator[float]:
        """When each begins, in seconds from the phase's start: evenly, so that two runs compare."""
        count = self.planned
        return ((number + 0.5) * self.seconds / count for number in range(count))


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a journey. `{email}` and `{password}` in the texts of `body` are the user's.

    `takes` is the key of the answer that holds the token for the steps after it.
    """

    name: str
    method: str
    path: str
    body: Any = None
    takes: str = ""


@dataclass(frozen=True, slots=True)
class LoadTest:
    """A load test as it is to be run.

    `users` are how many different ones there are; `email` has their `{number}`. `think_s` passes
    between two steps, half as long to one and a half times as long. `errors` is the share of them
    that ends the test when it is passed over `errors_s` seconds.
    """

    phases: tuple[Phase, ...]
    steps: tuple[Step, ...]
    users: int
    email: str
    think_s: float
    allow_hosts: tuple[str, ...]
    most_requests: int
    most_seconds: float
    errors: float
    errors_s: float

    def scaled(self, rates: float, times: float) -> LoadTest:
        """The same with all rates, and with all lengths of phases, times a factor."""
        phases = [
            replace(each, rate=each.rate * rates, seconds=each.seconds * times)
            for each in self.phases
        ]
        return replace(self, phases=tuple(phases))

    @property
    def requests(self) -> int:
        """How many requests it makes when every journey is finished."""
        return sum(each.planned for each in self.phases) * len(self.steps)

    @property
    def seconds(self) -> float:
        """How long journeys begin."""
        return sum(each.seconds for each in self.phases)


def refusal(test: LoadTest, host: str) -> str:
    """Why nothing may be sent, else empty."""
    if why := _foreign(test, host):
        return why
    if not test.requests:
        return "At this scale no journey begins in any phase. Give a larger --scale or --times."
    if test.requests > test.most_requests:
        return (
            f"This would be {test.requests:,} requests, and the file allows {test.most_requests:,} "
            "(limits.requests). Nothing was sent. Give a smaller --scale, or raise the limit."
        )
    if test.seconds > test.most_seconds:
        return (
            f"This would take {test.seconds:,.0f} s, and the file allows "
            f"{test.most_seconds:,.0f} s (limits.seconds). Nothing was sent. Give a smaller "
            "--times, or raise the limit."
        )
    return ""


def is_loopback(host: str) -> bool:
    """Whether an address leads to this very machine."""
    name = urlsplit(host).hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _foreign(test: LoadTest, host: str) -> str:
    try:
        parts = urlsplit(host)
        name = parts.hostname or ""
        whole = parts.scheme in ("http", "https") and bool(name) and parts.port != 0
    except ValueError:
        whole, name = False, ""
    if not whole or parts.username or parts.query or parts.fragment:
        return f"{host!r} is no address of a service: write https://staging.example.com."
    if is_loopback(host) or name in test.allow_hosts:
        return ""
    allowed = ", ".join(test.allow_hosts) or "none"
    return (
        f"{name} is not among `allow_hosts` of the file ({allowed}), and not this machine. Nothing "
        "was sent. A load test can take a service down: add the name there if you mean it."
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. `status` is 0 where no answer came. `at` is when it ended, in seconds from the
    test's start; `ms` is how long the user waited: for the first request of a journey from when it
    was to begin, so that a late start hides nothing."""

    phase: int
    step: str
    status: int
    at: float
    ms: float

    @property
    def failed(self) -> bool:
        """Whether it was not answered as the journey needs."""
        return not self.status or self.status >= FROM_4XX

    @property
    def is_fault(self) -> bool:
        """Whether the service failed it, by what the KPI counts."""
        return not self.status or self.status >= FROM_5XX


@dataclass(frozen=True, slots=True)
class Arrived:
    """One journey that began. `late_ms` is by how much after its moment; `finished` whether all its
    steps were answered well."""

    phase: int
    late_ms: float
    finished: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What a test has shown. `ended` is why it ended early, else empty. `phases` are those that
    had begun by then."""

    samples: Sequence[Sample]
    arrived: Sequence[Arrived]
    phases: int
    ended: str


def too_many_errors(test: LoadTest, samples: Sequence[Sample], now: float) -> str:
    """Why the test is to be ended, by what was answered within the last seconds; else empty.

    `samples` are in the order of their ends, `now` is seconds from the test's start.
    """
    if now < test.errors_s:
        return ""
    failed = count = 0
    for sample in reversed(samples):
        if sample.at < now - test.errors_s:
            break
        count += 1
        failed += sample.failed
    if count < FEWEST_JUDGED or failed / count <= test.errors:
        return ""
    return (
        f"{failed} of {count} requests failed within {test.errors_s:g} s, more than "
        f"{test.errors:.0%}. It was ended, so that the service can recover."
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """A KPI of one phase. `value` is None where the test cannot measure it; `why` then says why."""

    kpi: Kpi
    value: float | None
    met: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One phase. Times are in milliseconds, None without a request. `answered` are the requests
    that were answered well in each second of the phase, `late_ms` the 99th percentile."""

    phase: Phase
    begun: int
    finished: int
    requests: int
    statuses: Mapping[int, int]
    times: Mapping[str, float | None]
    answered: float
    late_ms: float
    kpis: Sequence[Judged] = ()

    @property
    def is_complete(self) -> bool:
        """Whether as many journeys began as planned. Else what was met may not be met by all."""
        return self.begun >= COMPLETE * self.phase.planned

    @property
    def is_punctual(self) -> bool:
        """Whether they began at their moments. Else what was missed may be met by the service."""
        return self.late_ms <= LATE_MS

    @property
    def missed(self) -> list[str]:
        """The KPIs that were not met."""
        return [each.kpi.name for each in self.kpis if each.met is False]


def results(test: LoadTest, record: Record, kpis: Sequence[Kpi]) -> list[Result]:
    """Each phase that has begun, against the KPIs."""
    return [_result(test, record, index, kpis) for index in range(record.phases)]


def _result(test: LoadTest, record: Record, index: int, kpis: Sequence[Kpi]) -> Result:
    phase = test.phases[index]
    begins = sum(each.seconds for each in test.phases[:index])
    samples = [each for each in record.samples if each.phase == index]
    arrived = [each for each in record.arrived if each.phase == index]
    times = sorted(each.ms for each in samples)
    good = [each for each in record.samples if not each.failed]
    within = [each for each in good if begins <= each.at < begins + phase.seconds]
    late = percentile(sorted(each.late_ms for each in arrived), 99)
    result = Result(
        phase,
        begun=len(arrived),
        finished=sum(each.finished for each in arrived),
        requests=len(samples),
        statuses=Counter(each.status for each in samples),
        times={f"p{each}": percentile(times, each) for each in (50, 95, 99)},
        answered=len(within) / phase.seconds,
        late_ms=late or 0.0,
    )
    faults = sum(each.is_fault for each in samples)
    return replace(result, kpis=[_judged(each, result, faults, len(test.steps)) for each in kpis])


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The value that so many percent do not exceed (nearest rank); None of nothing."""
    if not ordered:
        return None
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


_TIMES = {"response_time": "p95", "response_time_p50": "p50", "response_time_p99": "p99"}
"""The KPIs that are times, by their names in rules/kpis.yml."""


def _judged(kpi: Kpi, result: Result, faults: int, steps: int) -> Judged:
    if not result.requests:
        return Judged(kpi, None, None, "nothing was sent")
    if kpi.name in _TIMES:
        value = result.times[_TIMES[kpi.name]]
        assert value is not None  # noqa: S101 - there are requests
        return Judged(kpi, value, not kpi.misses(value, kpi.target))
    if kpi.name == "error_rate":
        value = 100 * faults / result.requests
        return Judged(kpi, value, not kpi.misses(value, kpi.target))
    if kpi.name == "throughput":
        return _throughput(kpi, result, steps)
    return Judged(kpi, None, None, "a load test does not measure it")


def _throughput(kpi: Kpi, result: Result, steps: int) -> Judged:
    """Only where enough is asked for: then what is asked for has to be answered, up to the
    target."""
    offered = result.phase.rate * steps
    least = kpi.alert if kpi.alert is not None else kpi.target
    if offered <= least:
        return Judged(
            kpi, None, None, f"{offered:,.0f} requests a second are offered, no more than {least:g}"
        )
    wanted = min(kpi.target, COMPLETE * offered)
    return Judged(kpi, result.answered, not kpi.misses(result.answered, wanted))


MET, MISSED, UNSURE = "met", "missed", "unsure"


def verdict(record: Record, found: Sequence[Result]) -> str:
    """MISSED where a judged phase surely missed a KPI, MET where all of them surely met theirs,
    else UNSURE."""
    judged = [each for each in found if each.phase.judged]
    if any(each.missed and each.is_punctual for each in judged):
        return MISSED
    doubtful = any(each.missed or not each.is_complete for each in judged)
    return UNSURE if record.ended or doubtful else MET
