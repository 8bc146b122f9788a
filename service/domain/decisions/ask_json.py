"""Asks as plain values, and back: what a queued run pins must survive deploys and crashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.decisions.planning import Ask, Tell
from service.domain.rules.rules import (
    ActionName,
    AppTarget,
    Direction,
    DropletTarget,
    SupabaseTarget,
    Target,
    TargetKind,
)


def dump_ask(ask: Ask | Tell) -> dict[str, Any]:
    """What a run was claimed for, as plain values: the workflow's pinned input."""
    fields = {name: getattr(ask, name) for name in ask.__dataclass_fields__}
    fields["alerts"] = list(ask.alerts)
    fields["action"] = ask.action.value
    if isinstance(ask, Ask):
        fields["direction"] = ask.direction.value
        fields["target"] = {
            "kind": ask.target.kind.value,
            **{name: getattr(ask.target, name) for name in ask.target.__dataclass_fields__},
        }
    return fields


def load_ask(fields: Mapping[str, Any]) -> Ask | Tell:
    """What `dump_ask` wrote; fields that only a later version knows are left out, so that its
    runs are still understood after a deploy was taken back."""
    common = {
        **fields,
        "action": ActionName(fields["action"]),
        "alerts": tuple(fields["alerts"]),
    }
    if "target" not in fields:
        return Tell(**_known(Tell, common))
    common["direction"] = Direction(fields["direction"])
    common["target"] = _target(fields["target"])
    return Ask(**_known(Ask, common))


_TARGETS: Mapping[TargetKind, type[AppTarget] | type[DropletTarget] | type[SupabaseTarget]] = {
    TargetKind.APP_PLATFORM: AppTarget,
    TargetKind.DROPLET: DropletTarget,
    TargetKind.SUPABASE: SupabaseTarget,
}


def _target(fields: Mapping[str, Any]) -> Target:
    kind = _TARGETS[TargetKind(fields["kind"])]
    return kind(**_known(kind, {**fields, "sizes": tuple(fields["sizes"])}))


def _known(kind: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in kind.__dataclass_fields__ if name in fields}
