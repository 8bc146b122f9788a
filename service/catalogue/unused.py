"""What is billed and seems not to be used. Pure. `runbookd optimize` lists it, and `remove_unused`
removes of it what a person has approved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from service.catalogue.costs import line_of
from service.domain.rules.rules import Target
from service.ports.bills import ADDRESS, BALANCER, DROPLET, SNAPSHOT, VOLUME, Resource

KEEP = "keep"
"""The tag of what nobody may list."""
KUBERNETES = "k8s"
"""How the tags begin of what belongs to a cluster of Kubernetes, which uses it when it wants to."""
BEFORE_SCALE, BEFORE_REMOVAL = "pre-scale-", "pre-delete-"
OURS = (BEFORE_SCALE, BEFORE_REMOVAL)
"""How the snapshots begin that runs take. Those before a resize (`droplet/plan.py`) are needed
until their run has ended, and runbookd removes them by itself some days after it. Those before a
removal are all that is left of something."""
VOLUME_DAYS, DROPLET_DAYS = 14, 7
NEWEST = 3
"""Snapshots of one droplet or volume that are not listed: the newest ones."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Unused:
    """Something that seems not to be used. `month` is what it costs, None where not known."""

    resource: Resource
    because: str
    month: Decimal | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": self.resource.kind,
            "id": self.resource.id,
            "name": self.resource.name,
            "tags": list(self.resource.tags),
            "because": self.because,
            "dollars_month": None if self.month is None else str(round(self.month, 2)),
        }


def unused(
    resources: Sequence[Resource],
    now: float,
    needed: Collection[str] = (),
    newest: int = NEWEST,
) -> list[Unused]:
    """What seems not to be used, by the lists of the account.

    Left out is what has the tag KEEP, what belongs to Kubernetes, and what is `needed`: the ids of
    the targets of the rules. `newest` snapshots of each owner are left out too.
    """
    found = [*_idle(resources, now), *_old_snapshots(resources, newest)]
    return [
        Unused(each, because, line_of("", each).month)
        for each, because in found
        if each.id not in needed and not _is_kept(each)
    ]


def needed_by(targets: Iterable[Target]) -> frozenset[str]:
    """The vendors' ids of the targets of the rules."""
    return frozenset(each.resource.partition(":")[2] for each in targets)


def _is_kept(each: Resource) -> bool:
    return any(tag == KEEP or tag.startswith(KUBERNETES) for tag in each.tags)


def _idle(resources: Sequence[Resource], now: float) -> Iterator[tuple[Resource, str]]:
    for each in resources:
        if each.used or each.busy:
            continue
        days = (now - each.since) / _DAY
        if each.kind == VOLUME and days > VOLUME_DAYS:
            yield each, f"not attached, made {days:.0f} days ago; no list says since when"
        elif each.kind == ADDRESS:
            yield each, "not assigned to a droplet"
        elif each.kind == BALANCER:
            yield each, "no droplet stands behind it"
        elif each.kind == DROPLET and days > DROPLET_DAYS:
            yield each, f"switched off, made {days:.0f} days ago; off, it costs the same"


def _old_snapshots(resources: Sequence[Resource], newest: int) -> Iterator[tuple[Resource, str]]:
    of: dict[str, list[Resource]] = {}
    for each in resources:
        if each.kind == SNAPSHOT and not each.name.startswith(OURS):
            of.setdefault(each.of, []).append(each)
    for owner, snapshots in of.items():
        newest_first = sorted(snapshots, key=lambda each: each.since, reverse=True)
        for each in newest_first[newest:]:
            yield each, f"older than the {newest} newest of {owner}"
