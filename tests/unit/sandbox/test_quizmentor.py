"""The simulated application: what a load feels like on a capacity."""

from __future__ import annotations

import pytest

from service.sandbox.digitalocean.app import Autoscaling
from service.sandbox.quizmentor.load import (
    BUCKETS_MS,
    Capacity,
    Load,
    autoscaled_instances,
    cpu_percent,
    db_connections_available,
    latency_shares,
    memory_percent,
    p95_ms,
)


def capacity(
    instances: int = 2, vcpus: int = 1, memory_mb: int = 1024, max_connections: int = 60
) -> Capacity:
    return Capacity(instances, vcpus, memory_mb, max_connections)


@pytest.mark.parametrize(
    ("rps", "instances", "vcpus", "percent"),
    [
        (100, 2, 1, 25),
        (360, 2, 1, 90),
        (360, 3, 1, 60),
        (360, 2, 2, 45),
        (1200, 2, 1, 100),
        (0, 2, 1, 0),
    ],
)
def test_cpu_follows_the_load_on_the_capacity_that_runs(
    rps: float, instances: int, vcpus: int, percent: float
) -> None:
    assert cpu_percent(Load(rps=rps), capacity(instances, vcpus)) == pytest.approx(percent)


@pytest.mark.parametrize(("memory_mb", "percent"), [(1024, 95), (2048, 47.5), (4096, 23.75)])
def test_the_same_bytes_fill_less_of_a_larger_droplet(memory_mb: int, percent: float) -> None:
    assert memory_percent(Load(memory_percent=95), capacity(memory_mb=memory_mb)) == percent


def test_memory_never_exceeds_all_of_it() -> None:
    assert memory_percent(Load(memory_percent=150), capacity()) == 100


@pytest.mark.parametrize(
    ("wanted", "most", "available"), [(20, 60, 40), (57, 60, 3), (80, 60, 0), (80, 90, 10)]
)
def test_connections_available_are_what_the_database_has_left(
    wanted: int, most: int, available: int
) -> None:
    load = Load(db_connections=wanted)
    assert db_connections_available(load, capacity(max_connections=most)) == available


def test_latency_is_calm_until_the_service_is_busy_then_rises_steeply() -> None:
    seen = [p95_ms(Load(rps=rps), capacity()) for rps in (100, 320, 360, 400, 800)]
    assert seen[0] == seen[1] == 120
    assert seen[1] < seen[2] < seen[3] == 300
    assert seen[4] == 1200


def test_a_latency_that_was_set_stays_whatever_the_load() -> None:
    assert p95_ms(Load(rps=2000, p95_ms=650), capacity()) == 650


def prometheus_quantile(quantile: float, shares: list[float]) -> float:
    """What Prometheus' histogram_quantile computes: linear within the bucket it falls in."""
    at = next(index for index, share in enumerate(shares) if share >= quantile)
    if at == len(BUCKETS_MS):
        return BUCKETS_MS[-1]
    low, below = (BUCKETS_MS[at - 1], shares[at - 1]) if at else (0.0, 0.0)
    return low + (BUCKETS_MS[at] - low) * (quantile - below) / (shares[at] - below)


@pytest.mark.parametrize("p95", [5.1, 40, 120, 200.5, 300, 499, 500, 501, 620, 990, 7000, 59999])
def test_the_histogram_gives_back_the_p95_that_made_it(p95: float) -> None:
    shares = latency_shares(p95)
    assert prometheus_quantile(0.95, shares) == pytest.approx(p95)
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] == 1.0
    assert len(shares) == len(BUCKETS_MS) + 1


@pytest.mark.parametrize(
    ("rps", "instances"), [(0, 2), (100, 2), (300, 3), (281, 3), (280, 2), (9000, 10)]
)
def test_the_vendors_own_scaling_stays_within_its_bounds(rps: float, instances: int) -> None:
    assert autoscaled_instances(Autoscaling(2, 10, 70), rps, 1) == instances
