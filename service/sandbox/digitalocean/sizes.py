"""The sizes of apps and droplets, and their prices in USD a month.

The droplet sizes and the deprecated app sizes are the runbook's ("DigitalOcean Droplet Sizes", "App
Platform Vertical Scaling"). Disks, transfer and today's `apps-*` sizes are from DigitalOcean's
price pages.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppSize:
    """One instance size of App Platform. `autoscales` is what the vendor calls scalable."""

    slug: str
    name: str
    vcpus: int
    memory_mb: int
    usd_month: float
    transfer_gib: int
    tier: str
    dedicated: bool = False
    single_instance_only: bool = False
    autoscales: bool = False
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class DropletSize:
    """One size of droplets."""

    slug: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    transfer_tb: float
    usd_month: float
    usd_hour: float
    family: str


def _shared(slug: str, memory_mb: int, usd: float, transfer: int, *, vcpus: int = 1) -> AppSize:
    return AppSize(slug, f"Shared {vcpus} vCPU", vcpus, memory_mb, usd, transfer, "basic")


def _fixed(slug: str, memory_mb: int, usd: float, transfer: int) -> AppSize:
    return AppSize(
        slug, "Shared fixed", 1, memory_mb, usd, transfer, "basic", single_instance_only=True
    )


def _dedicated(slug: str, vcpus: int, memory_mb: int, usd: float, transfer: int) -> AppSize:
    name = f"Dedicated {vcpus} vCPU"
    return AppSize(
        slug, name, vcpus, memory_mb, usd, transfer, "professional", dedicated=True, autoscales=True
    )


def _former_basic(slug: str, memory_mb: int, usd: float, *, vcpus: int = 1) -> AppSize:
    return AppSize(
        slug,
        slug.replace("-", " ").title(),
        vcpus,
        memory_mb,
        usd,
        40,
        "basic",
        single_instance_only=True,
        deprecated=True,
    )


def _former_professional(
    slug: str, vcpus: int, memory_mb: int, usd: float, *, dedicated: bool = False
) -> AppSize:
    return AppSize(
        slug,
        slug.replace("-", " ").title(),
        vcpus,
        memory_mb,
        usd,
        100,
        "professional",
        dedicated=dedicated,
        autoscales=dedicated,
        deprecated=True,
    )


_APP_SIZES = (
    _fixed("apps-s-1vcpu-0.5gb", 512, 5, 50),
    _fixed("apps-s-1vcpu-1gb-fixed", 1024, 10, 100),
    _shared("apps-s-1vcpu-1gb", 1024, 12, 150),
    _shared("apps-s-1vcpu-2gb", 2048, 25, 200),
    _shared("apps-s-2vcpu-4gb", 4096, 50, 250, vcpus=2),
    _dedicated("apps-d-1vcpu-0.5gb", 1, 512, 29, 100),
    _dedicated("apps-d-1vcpu-1gb", 1, 1024, 34, 200),
    _dedicated("apps-d-1vcpu-2gb", 1, 2048, 39, 300),
    _dedicated("apps-d-1vcpu-4gb", 1, 4096, 49, 400),
    _dedicated("apps-d-2vcpu-4gb", 2, 4096, 78, 500),
    _dedicated("apps-d-2vcpu-8gb", 2, 8192, 98, 600),
    _dedicated("apps-d-4vcpu-8gb", 4, 8192, 156, 700),
    _dedicated("apps-d-4vcpu-16gb", 4, 16384, 196, 800),
    _dedicated("apps-d-8vcpu-32gb", 8, 32768, 392, 900),
    _former_basic("basic-xxs", 512, 5),
    _former_basic("basic-xs", 1024, 10),
    _former_basic("basic-s", 2048, 20),
    _former_basic("basic-m", 4096, 40, vcpus=2),
    _former_professional("professional-xs", 1, 1024, 12),
    _former_professional("professional-s", 1, 2048, 25),
    _former_professional("professional-m", 2, 4096, 50),
    _former_professional("professional-1l", 1, 4096, 75, dedicated=True),
    _former_professional("professional-l", 2, 8192, 150, dedicated=True),
    _former_professional("professional-xl", 4, 16384, 300, dedicated=True),
)

_DROPLET_SIZES = (
    DropletSize("s-1vcpu-1gb", 1, 1024, 25, 1.0, 6, 0.00893, "Basic"),
    DropletSize("s-1vcpu-2gb", 1, 2048, 50, 2.0, 12, 0.01786, "Basic"),
    DropletSize("s-2vcpu-2gb", 2, 2048, 60, 3.0, 18, 0.02679, "Basic"),
    DropletSize("s-2vcpu-4gb", 2, 4096, 80, 4.0, 24, 0.03571, "Basic"),
    DropletSize("s-4vcpu-8gb", 4, 8192, 160, 5.0, 48, 0.07143, "Basic"),
    DropletSize("c-2", 2, 4096, 25, 4.0, 42, 0.0625, "CPU-Optimized"),
    DropletSize("c-4", 4, 8192, 50, 5.0, 84, 0.125, "CPU-Optimized"),
    DropletSize("m-2vcpu-16gb", 2, 16384, 50, 4.0, 84, 0.125, "Memory-Optimized"),
)

APP_SIZES = {size.slug: size for size in _APP_SIZES}
DROPLET_SIZES = {size.slug: size for size in _DROPLET_SIZES}

DEFAULT_APP_SIZE = "apps-s-1vcpu-0.5gb"
"""The size of a component whose spec names none (DigitalOcean's documented default)."""
