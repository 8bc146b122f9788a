"""The metrics of the simulated QuizMentor at a load and a capacity: pure functions, no state.

The numbers are chosen such that the runbook's steps have the effect that it states. 360 requests a
second are 90 % CPU on 2 instances of professional-xs. On 3 instances they are 60 %, which is below
the trigger of 70 % ("Scaling Triggers").
"""

from __future__ import annotations

from dataclasses import dataclass

from service.sandbox.digitalocean.app import Autoscaling

RPS_PER_VCPU = 200.0
"""Requests a second that one vCPU serves at 100 % CPU."""

CALM_P95_MS = 120.0
BUSY_P95_MS = 300.0
"""The p95 latency of a calm and of a fully used service, in milliseconds."""

BUSY_FROM = 0.8
"""The share of used capacity above which latency rises."""

INITIAL_MEMORY_MB = 1024
"""The memory of the droplet's first size (s-1vcpu-1gb). `Load.memory_percent` is a share of it."""

APP_MEMORY_PERCENT = 40.0
"""Memory in use by each app instance. It is constant: only the droplet's memory has load here."""

CACHE_HIT_RATIO = 0.9
"""Above the runbook's target of 80 % ("Key Performance Indicators")."""

BUCKETS_MS = (
    5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 750.0,
    1000.0, 1500.0, 2500.0, 5000.0, 10000.0, 30000.0, 60000.0,
)  # fmt: skip
"""Upper bounds of the latency histogram in milliseconds. After the last one comes +Inf."""

_SHARE = 0.95
"""The quantile that `latency_shares` reproduces."""


@dataclass(frozen=True, slots=True)
class Load:
    """What QuizMentor's users do.

    `rps` is requests a second, of which `errors_per_s` fail. `memory_percent` is a share of the
    droplet's memory at its first size. A `p95_ms` of None lets latency follow from the load.
    `db_connections` are open or wanted.
    """

    rps: float = 100.0
    memory_percent: float = 45.0
    errors_per_s: float = 0.0
    p95_ms: float | None = None
    db_connections: int = 20


@dataclass(frozen=True, slots=True)
class Capacity:
    """What serves the load: app instances with their vCPUs, the droplet's memory, the database."""

    instances: int
    vcpus: int
    memory_mb: int
    max_connections: int


def utilisation(load: Load, capacity: Capacity) -> float:
    """The share of the app's capacity that the load needs. Above 1, the app is overloaded."""
    return load.rps / (capacity.instances * capacity.vcpus * RPS_PER_VCPU)


def cpu_percent(load: Load, capacity: Capacity) -> float:
    """CPU usage of each instance, 0 to 100."""
    return min(100.0, 100.0 * utilisation(load, capacity))


def memory_percent(load: Load, capacity: Capacity) -> float:
    """Memory usage of the droplet, 0 to 100. The used bytes are the same at every size."""
    return min(100.0, load.memory_percent * INITIAL_MEMORY_MB / capacity.memory_mb)


def p95_ms(load: Load, capacity: Capacity) -> float:
    """The 95th percentile of latency in milliseconds.

    It is the load's own, if set. Otherwise it is constant below `BUSY_FROM`, then rises, and rises
    steeply when the app is overloaded.
    """
    if load.p95_ms is not None:
        return load.p95_ms
    used = utilisation(load, capacity)
    if used <= BUSY_FROM:
        return CALM_P95_MS
    if used <= 1.0:
        return CALM_P95_MS + (BUSY_P95_MS - CALM_P95_MS) * (used - BUSY_FROM) / (1.0 - BUSY_FROM)
    return min(BUCKETS_MS[-1], BUSY_P95_MS * used * used)


def db_connections_in_use(load: Load, capacity: Capacity) -> int:
    """Open connections, at most as many as the database takes."""
    return min(load.db_connections, capacity.max_connections)


def db_connections_available(load: Load, capacity: Capacity) -> int:
    """Free connections. 0 if more are wanted than the database takes."""
    return capacity.max_connections - db_connections_in_use(load, capacity)


def autoscaled_instances(scaling: Autoscaling, rps: float, vcpus: int) -> int:
    """The instances that the vendor's own scaling reaches for a load, by CPU alone."""
    per_instance = vcpus * RPS_PER_VCPU * scaling.cpu_percent / 100.0
    needed = -(-rps // per_instance)
    return int(max(scaling.least, min(scaling.most, needed)))


def latency_shares(p95: float) -> list[float]:
    """The share of requests within each bound of BUCKETS_MS, then +Inf (1.0).

    Prometheus assumes that the requests of a bucket are spread evenly. The shares are such that
    `histogram_quantile(0.95, …)` then gives exactly `p95`.
    """
    wanted = min(max(p95, 0.001), BUCKETS_MS[-1])
    at = next(index for index, bound in enumerate(BUCKETS_MS) if wanted <= bound)
    low, high = (BUCKETS_MS[at - 1] if at else 0.0), BUCKETS_MS[at]
    within = (wanted - low) / (high - low)
    below = 0.0 if at == 0 else _share_below(wanted, low, within)
    shares = [below * bound / low for bound in BUCKETS_MS[:at]]
    shares.append(min(1.0, below + (_SHARE - below) / within))
    return shares + [1.0] * (len(BUCKETS_MS) - at)


def _share_below(wanted: float, low: float, within: float) -> float:
    # Spread evenly up to p95, unless the bucket would then hold more than all requests.
    even = _SHARE * low / wanted
    least = (_SHARE - within) / (1.0 - within) if within < _SHARE else 0.0
    return max(even, least)
