"""Rounds in turn and their medians: on a shared machine only what is measured together compares."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wrk import Sample

Measure = Callable[[], Sample]

_LOOK_S = 0.2
_QUIET = 0.25
"""Of one core: more than several services that idle, less than one that still works."""
_PATIENCE_S = 2.0
"""Four times what Alerta works on after a storm of 64 connections; elsewhere other programs run."""


@dataclass(frozen=True, slots=True)
class Medians:
    """The medians of several samples of one thing; `failed` is their sum."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def interleaved(rounds: int, measures: Mapping[str, Measure]) -> dict[str, Medians]:
    """The medians of what was measured in turn."""
    return {name: medians(found) for name, found in in_turn(rounds, measures).items()}


def in_turn(rounds: int, measures: Mapping[str, Measure]) -> dict[str, list[Sample]]:
    """Measure each in turn, `rounds` times, each second round the other way round."""
    samples: dict[str, list[Sample]] = {name: [] for name in measures}
    for number in range(rounds):
        order = list(measures) if number % 2 == 0 else list(measures)[::-1]
        for name in order:
            _rest()
            samples[name].append(measures[name]())
    return samples


def _rest() -> None:
    """Wait for what a receiver still does and writes after a storm; the next one would pay it."""
    until = time.monotonic() + _PATIENCE_S
    while _share_of_a_core(_LOOK_S) > _QUIET and time.monotonic() < until:
        pass
    os.sync()


def _share_of_a_core(seconds: float) -> float:
    """How busy all cores together are for so long."""
    before = _busy_s()
    time.sleep(seconds)
    return (_busy_s() - before) / seconds


def _busy_s() -> float:
    """Processor time of everything on this machine since it started."""
    user, nice, system, _, _, irq, softirq, *_ = (
        int(ticks) for ticks in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def medians(samples: list[Sample]) -> Medians:
    """Of each figure by itself."""
    return Medians(
        statistics.median(each.per_second for each in samples),
        statistics.median(each.p50_ms for each in samples),
        statistics.median(each.p99_ms for each in samples),
        sum(each.failed for each in samples),
    )


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of them don't exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
