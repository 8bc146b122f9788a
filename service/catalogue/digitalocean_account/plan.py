"""From what lies in the account to what is removed of it, or the guard that holds it. Pure.

What is `observed` is the record of `steps.AccountWork.observe_for`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from service.catalogue.costs import SNAPSHOT_GB
from service.catalogue.digitalocean_account.target import AccountTarget
from service.catalogue.shapes import Shape
from service.catalogue.unused import NEWEST, Unused, unused
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.present import State
from service.domain.decisions.requests import Request
from service.domain.durations import parse_duration
from service.ports.bills import ADDRESS, BALANCER, DROPLET, SNAPSHOT, VOLUME, Resource
from service.ports.digitalocean_account import KEPT_AS_SNAPSHOT

MOST_AT_ONCE = 10
"""Things that one run removes at most, so that a person reads the whole list before."""
LONGEST_AGE_DAYS = 3_650
LEAST_AGE_DAYS = 7
WHY_ASKED = "what is removed does not come back by itself, so a person reads the list first"

_KINDS = {
    "volumes": VOLUME,
    "snapshots": SNAPSHOT,
    "load_balancers": BALANCER,
    "droplets": DROPLET,
    "reserved_ips": ADDRESS,
}
"""The kinds as options name them."""
_Kind = Literal["volumes", "snapshots", "load_balancers", "droplets", "reserved_ips"]


def _age(text: str) -> str:
    if parse_duration(text, LONGEST_AGE_DAYS).days < LEAST_AGE_DAYS:
        raise ValueError("too short")
    return text


class RemoveOptions(Shape):
    """Which kinds are removed, how old each has to be, how many of the newest snapshots of each
    owner stay, and how many things one run removes at most. Reserved IPs have no age in the
    vendor's list, so they are removed only where `kinds` names them."""

    kinds: list[_Kind] = Field(
        default=["volumes", "snapshots", "load_balancers", "droplets"],
        min_length=1,
        description=f"a list of {', '.join(_KINDS)}",
    )
    older_than: Annotated[str, AfterValidator(_age)] = Field(
        default="30d", description=f"a duration of {LEAST_AGE_DAYS}d or more, such as 30d"
    )
    newest: int = Field(default=NEWEST, ge=1, le=100)
    most: int = Field(default=5, ge=1, le=MOST_AT_ONCE)


def kinds_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds that the options name, each once."""
    return tuple(dict.fromkeys(_KINDS[each] for each in options["kinds"]))


def option_of(kind: str) -> str:
    """A kind as options name it."""
    return next(name for name, each in _KINDS.items() if each == kind)


def removable(
    resources: Sequence[Resource],
    now: float,
    needed: Sequence[str],
    keep: Sequence[str],
    options: Mapping[str, Any],
) -> list[Unused]:
    """What is unused by the options, the most expensive first.

    An age that is not known counts as too young, but for reserved IPs, which have none.
    """
    least_s = parse_duration(options["older_than"], LONGEST_AGE_DAYS).total_seconds()
    kinds = kinds_of(options)
    found = [
        each
        for each in unused(resources, now, needed, options["newest"])
        if each.resource.kind in kinds
        and not set(keep) & set(each.resource.tags)
        and (each.resource.kind == ADDRESS or 0 < each.resource.since <= now - least_s)
    ]
    return sorted(found, key=_dearest_first)


def _dearest_first(each: Unused) -> tuple[Decimal, str, str]:
    return -(each.month or Decimal(0)), each.resource.kind, each.resource.id


def account_is(observed: Mapping[str, Any]) -> State:
    """How much of it is unused."""
    return {"unused": len(observed.get("unused", ()))}


def plan_removal(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """What is removed: each thing by its id, with its dollars a month and what is left of it."""
    target = request.target
    if not isinstance(target, AccountTarget):
        raise TypeError(f"{target.name} is no account")
    if observed["needed"] is None:
        return PlanHeld(
            "rules_unread",
            "This worker could not read the rules, so it does not know what they need. Nothing was "
            "removed. Correct the rules (runbookd check), and restart it.",
        )
    found: Sequence[Mapping[str, Any]] = observed["unused"]
    if not found:
        return PlanHeld(
            "already_there",
            f"Nothing in {target.name} is unused and older than {request.options['older_than']}.",
        )
    items = list(found[: request.options["most"]])
    if unpriced := [each for each in items if each["month"] is None]:
        return PlanHeld(
            "no_price",
            f"What {_shown(unpriced[0])} costs is not known, so nobody can tell what its removal "
            "saves. Nothing was removed. Give it the tag keep, or remove it by hand.",
        )
    saved = sum(Decimal(each["month"]) for each in items)
    kept = sum(Decimal(each["kept_month"]) for each in items)
    return Plan(
        what="unused",
        before=", ".join(map(_shown, items)),
        after="removed",
        steps=tuple(_steps(items)),
        wanted={
            "items": items,
            "keep": list(target.keep),
            "options": dict(request.options),
        },
        price_before=float(saved),
        price_after=float(kept),
        price_source="DigitalOcean's documented prices, where its lists name none",
        downtime=" ".join(_told(items, len(found) - len(items))),
        asks=WHY_ASKED,
    )


def item_of(each: Unused) -> dict[str, Any]:
    """A thing that is unused, as plain JSON. `kept_month` is what its snapshot costs at most."""
    resource = each.resource
    gigabytes = max(resource.gigabytes, Decimal(resource.disk_gb))
    is_kept = resource.kind in KEPT_AS_SNAPSHOT
    return {
        "kind": resource.kind,
        "id": resource.id,
        "name": resource.name,
        "month": None if each.month is None else str(each.month),
        "snapshot": is_kept,
        "gigabytes": str(gigabytes),
        "kept_month": str(SNAPSHOT_GB * gigabytes if is_kept else Decimal(0)),
    }


def _steps(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for number, each in enumerate(items, 1):
        if each["snapshot"]:
            yield f"snapshot_{number}"
        yield f"remove_{number}"
    yield "verify"


def name_of(item: Mapping[str, Any]) -> str:
    """A thing as a person finds it in the control panel."""
    name, id_ = item["name"], item["id"]
    return f"{item['kind']} {name}" + (f" ({id_})" if id_ != name else "")


def _shown(item: Mapping[str, Any]) -> str:
    month = "" if item["month"] is None else f" ${Decimal(item['month']):.2f} a month"
    return name_of(item) + month


def _told(items: Sequence[Mapping[str, Any]], more: int) -> Iterator[str]:
    yield "No downtime: each is looked at again right before it is removed, one after another."
    kept = [each["name"] for each in items if each["snapshot"]]
    if kept:
        yield (
            f"Undo: none by runbookd. A snapshot of {', '.join(kept)} is taken first and stays: a "
            "person makes it anew from that. Its price is counted by the whole disk."
        )
    lost = [name_of(each) for each in items if not each["snapshot"]]
    if lost:
        yield f"Undo: none for {', '.join(lost)}: nothing is left of it."
    if more > 0:
        yield f"{more} more are unused, and are left for another run."
