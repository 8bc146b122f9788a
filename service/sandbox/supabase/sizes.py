"""The compute sizes of Supabase and their prices in USD a month, from its compute page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComputeSize:
    """One Supabase compute size with its limit of direct connections and of pooled clients."""

    variant: str
    name: str
    usd_month: float
    max_connections: int
    pooler_clients: int
    max_replicas: int


_COMPUTE_SIZES = (
    ComputeSize("ci_micro", "Micro", 10, 60, 200, 0),
    ComputeSize("ci_small", "Small", 15, 90, 400, 2),
    ComputeSize("ci_medium", "Medium", 60, 120, 600, 2),
    ComputeSize("ci_large", "Large", 111, 160, 800, 2),
    ComputeSize("ci_xlarge", "XL", 210, 240, 1000, 5),
    ComputeSize("ci_2xlarge", "2XL", 410, 380, 1500, 5),
    ComputeSize("ci_4xlarge", "4XL", 964, 480, 3000, 5),
    ComputeSize("ci_8xlarge", "8XL", 1870, 490, 6000, 5),
    ComputeSize("ci_12xlarge", "12XL", 2800, 500, 9000, 5),
    ComputeSize("ci_16xlarge", "16XL", 3738, 500, 12000, 5),
)

COMPUTE_SIZES = {size.variant: size for size in _COMPUTE_SIZES}
