"""Rounds in turn and their medians: on a shared machine only what is measured together compares."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.wrk import Sample

Measure = Callable[[], Sample]

_PAUSE_S = 0.3
"""Between two measures, for what a receiver still does after its last answer."""


@dataclass(frozen=True, slots=True)
class Medians:
    """The medians of several samples of one thing; `failed` is their sum."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def interleaved(rounds: int, measures: Mapping[str, Measure]) -> dict[str, Medians]:
    """Measure each in turn, `rounds` times, each second round the other way round."""
    samples: dict[str, list[Sample]] = {name: [] for name in measures}
    for number in range(rounds):
        order = list(measures) if number % 2 == 0 else list(measures)[::-1]
        for name in order:
            # One's last writes are not to be the next one's wait for the disk.
            os.sync()
            time.sleep(_PAUSE_S)
            samples[name].append(measures[name]())
    return {name: medians(found) for name, found in samples.items()}


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
