"""What people are told of levels: what holds, why, what it beat, and when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from service.domain.filters import BadFilter
from service.domain.levels.acting import says
from service.domain.levels.applied import Applied
from service.domain.levels.levels import Attribute, Baseline, Levels, Value
from service.domain.levels.resolve import Standing, changes, in_words, standing

MOST_DAYS = 400
"""Days that people may look ahead: a year and what is around it."""
DEFAULT_DAYS = 14
_DAY_S = 86_400.0
FIRST, LAST = 946_684_800.0, 4_102_444_800.0
"""2000-01-01 and 2100-01-01."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What workers have made of levels: the hash of the rules by which they judge them, empty
    before any has begun, what became of each attribute, and what there was at the start of each
    growth."""

    in_force: str = ""
    applied: Mapping[Attribute, Applied] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    baselines: Mapping[Baseline, Value] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )


def levels_told(
    levels: Levels, rules_hash: str, now: float, days: int, acted: Acted | None = None
) -> dict[str, Any]:
    """What holds at `now` (seconds since the epoch), and each change of it in so many days. Beside
    it, what was applied last and what that waits for, by the rules in force.

    Raises:
        BadFilter: it is too far ahead, or no moment of the calendar.
    """
    if not 1 <= days <= MOST_DAYS:
        raise BadFilter(f"days={days} cannot be shown; ask for 1 to {MOST_DAYS} days.")
    if not FIRST <= now <= LAST:
        raise BadFilter("at is outside the years 2000 to 2100, which can be shown.")
    end = now + days * _DAY_S
    acted = acted or Acted()
    levels = replace(levels, baselines=acted.baselines)
    items = [
        _item(levels, each, now, end, acted.applied.get(each, Applied()))
        for each in levels.attributes
    ]
    told = {"at": _utc(now), "zone": levels.zone, "days": days, "items": items}
    return {**told, "rules_hash": rules_hash, "in_force": acted.in_force or None}


def _item(
    levels: Levels, attribute: Attribute, now: float, end: float, applied: Applied
) -> dict[str, Any]:
    coming = list(changes(levels, attribute, now, end))
    holds = standing(levels, attribute, now)
    return {
        "target": attribute[0],
        "attribute": attribute[1],
        **_standing(holds),
        "applied": applied.to_json(says(holds), now),
        "changes": [
            {"at": _utc(at), "local": _local(at, levels.zone), **_standing(then)}
            for at, then in coming
        ],
    }


def _standing(holds: Standing) -> dict[str, Any]:
    return {
        "value": holds.value,
        "least": holds.least,
        "most": holds.most,
        "holds": in_words(holds),
        "why": [str(part) for part in holds.parts],
        "beat": [str(each) for each in holds.beaten],
    }


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _local(at: float, zone: str) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M %Z")
