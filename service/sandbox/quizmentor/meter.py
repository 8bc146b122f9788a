"""QuizMentor's counters: the load, integrated over time."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.sandbox.quizmentor.load import BUCKETS_MS, CACHE_HIT_RATIO, Load, latency_shares


@dataclass(slots=True)
class Meter:
    """Counters since the start or the last reset, up to the instant `at`. They only grow."""

    at: float
    requests: float = 0.0
    errors: float = 0.0
    cache_requests: float = 0.0
    cache_hits: float = 0.0
    latency_sum_ms: float = 0.0
    latency_buckets: list[float] = field(default_factory=lambda: [0.0] * (len(BUCKETS_MS) + 1))

    def advance(self, now: float, load: Load, p95: float) -> None:
        """Count what happened until `now` at this load. A clock that was set back counts
        nothing."""
        seconds = now - self.at
        if seconds <= 0:
            return
        self.at = now
        served = max(load.rps, load.errors_per_s) * seconds
        self.requests += served
        self.errors += load.errors_per_s * seconds
        self.cache_requests += load.rps * seconds
        self.cache_hits += load.rps * seconds * CACHE_HIT_RATIO
        self._count_latency(served, p95)

    def _count_latency(self, served: float, p95: float) -> None:
        shares = latency_shares(p95)
        for index, share in enumerate(shares):
            self.latency_buckets[index] += served * share
        self.latency_sum_ms += served * _mean(shares)


def _mean(shares: list[float]) -> float:
    mean, last_bound, last_share = 0.0, 0.0, 0.0
    for bound, share in zip(BUCKETS_MS, shares, strict=False):
        mean += (share - last_share) * (last_bound + bound) / 2
        last_bound, last_share = bound, share
    return mean
