"""From what a droplet showed to the next size on its ladder, or the guard that holds it.

Pure. What is `observed` is the record of `service.catalogue.droplet.steps.DropletResize.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from service.catalogue.droplet.target import PRICES, DropletTarget
from service.catalogue.steps.bounds import nothing_to_do
from service.catalogue.steps.ladder import size_wanted
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, SCENARIO, Request, Wanted

DROPLET_STEPS = ("snapshot", "resize", "verify")

ON = "active"
"""The vendor's word for a droplet that is on."""

BUSY_RETRY_S = 60.0
"""Seconds until a held run looks again; most droplet actions take less than a minute."""


def plan_droplet_size(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The size that is wanted, on the target's ladder (runbook, Vertical Scaling Process)."""
    target = request.target
    if not isinstance(target, DropletTarget):
        raise TypeError(f"{target.name} is no droplet target")
    if held := _held(target, observed):
        return held
    before = observed["size"]
    (wanted,) = request.wanted
    after = _size_wanted(request, target, wanted, before)
    if isinstance(after, PlanHeld):
        return after
    if after == before:
        return nothing_to_do(target)
    if held := _size_held(target, observed, after, adds=not wanted.removes):
        return held
    return Plan(
        what="size",
        before=before,
        after=after,
        steps=DROPLET_STEPS,
        wanted={
            "droplet": target.droplet,
            "before": before,
            "after": after,
            "last_action": observed["last_action"],
            "disk_gb": observed["disk_gb"],
        },
        price_before=PRICES.price(observed, before),
        price_after=PRICES.price(observed, after),
        price_source=PRICES.source(observed, before, after),
        downtime=_downtime(target, observed["disk_gb"]),
    )


def _size_wanted(
    request: Request, target: DropletTarget, wanted: Wanted, before: str
) -> str | PlanHeld:
    """A size of the ladder, or one that a person names and may choose."""
    if request.origin.kind in (PERSON, SCENARIO) and wanted.to in target.choices:
        return str(wanted.to)
    if wanted.to is None and before in target.choices:
        return PlanHeld(
            "chosen",
            f"{target.name} has {before}, which a person chose: another shape, so no size of the "
            "ladder is the next one. Nothing was changed. Name a size, such as "
            f"{target.sizes[-1]}, by `runbookd run vertical_scale {target.name} --to size=…`.",
            facts={"current": before},
            by_person=True,
        )
    return size_wanted(target, wanted, before)


def droplet_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Its size, and its status where it is not on."""
    status = observed["status"]
    return {"size": observed["size"], **({} if status == ON else {"status": status})}


def droplet_size(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Its size, which is all that a plan changes."""
    return {"size": observed["size"]}


def snapshot_name(run_id: str, at: float) -> str:
    """`pre-scale-YYYYMMDD-<run>` (runbook, Vertical Scaling Process).

    The date is the UTC day of `at`, the time of the recorded intent, so that a repeat after
    midnight looks for the same name. The run makes the name unique within the day.
    """
    return f"pre-scale-{datetime.fromtimestamp(at, UTC):%Y%m%d}-{run_id}"


def _held(target: DropletTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    """What holds back any change of the droplet."""
    if observed["locked"]:
        return PlanHeld(
            "droplet_busy",
            f"Another action is under way on droplet {target.droplet}. Nothing was changed.",
            retry_after_s=BUSY_RETRY_S,
        )
    if observed["status"] != ON:
        return PlanHeld(
            "droplet_status",
            f"Droplet {target.droplet} is {observed['status']}, and not because of this run. "
            "Nothing was changed.",
            retry_after_s=BUSY_RETRY_S,
            facts={"status": observed["status"]},
            by_person=True,
        )
    return None


def _size_held(
    target: DropletTarget, observed: Mapping[str, Any], size: str, *, adds: bool
) -> PlanHeld | None:
    """Whether the vendor would refuse the size: better known now than with the droplet off.

    Somebody who wanted more is paged where a size is never to be had.
    """
    sold_there = observed.get("region_sizes")
    if sold_there is not None and size not in sold_there:
        return PlanHeld(
            "size_unavailable",
            f"{size} is not sold in region {observed['region']}, where droplet {target.droplet} "
            f"stands; it stays at {observed['size']}. Nothing was changed; give target "
            f"{target.name} a ladder of sizes that its region has.",
            at_bound=adds,
        )
    offer = observed["sizes"].get(size)
    if offer is None:
        return None
    # An old list knows the sizes, and not what there is of them today.
    if not offer["available"] and not observed.get("source"):
        return PlanHeld(
            "size_unavailable",
            f"The vendor has no {size} to offer now; droplet {target.droplet} stays at "
            f"{observed['size']}. Nothing was changed.",
        )
    if offer["disk_gb"] < observed["disk_gb"]:
        return PlanHeld(
            "disk",
            f"{size} has a disk of {offer['disk_gb']} GB and droplet {target.droplet} has one of "
            f"{observed['disk_gb']} GB, which cannot shrink. Nothing was changed; give target "
            f"{target.name} a ladder whose disks fit.",
        )
    return None


def _downtime(target: DropletTarget, disk_gb: int | None) -> str:
    """The vendor's own figures (docs/vendors.md)."""
    used = f" of its {disk_gb} GB disk that is in use" if disk_gb else " of its disk in use"
    return (
        f"Droplet {target.droplet} is switched off for it, usually for 1 to 3 minutes; the vendor "
        f"names up to 1 minute for each GB{used}."
    )


def droplet_costs(observed: Mapping[str, Any]) -> float | None:
    """What the droplet costs, in dollars a month. Switched off it costs the same."""
    return PRICES.price(observed, observed["size"])
