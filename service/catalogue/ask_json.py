"""What a queued run pins, as plain JSON, and back: it must survive deploys and crashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.registry import action_spec, checked_options, kind_spec, target_fields
from service.domain.decisions.planning import Ask, Tell
from service.domain.rules.rules import Target


def dump_ask(ask: Ask | Tell) -> dict[str, Any]:
    """What a run was claimed for, as plain values: the workflow's pinned input.

    Raises:
        NotInCatalogue: its action, options or kind of target are not in the catalogue.
    """
    fields = {name: getattr(ask, name) for name in ask.__dataclass_fields__}
    fields["alerts"] = list(ask.alerts)
    if isinstance(ask, Ask):
        fields["options"] = checked_options(ask.action, ask.options)
        fields["target"] = {"kind": ask.target.kind, **target_fields(ask.target)}
    else:
        action_spec(ask.action)
    return fields


def load_ask(fields: Mapping[str, Any]) -> Ask | Tell:
    """What `dump_ask` wrote; fields that only a later version knows are left out, so that its
    runs are still understood after a deploy was taken back.

    Raises:
        NotInCatalogue: its action, options or kind of target are not in the catalogue.
    """
    common = {**fields, "alerts": tuple(fields["alerts"])}
    if "target" not in fields:
        action_spec(fields["action"])
        return Tell(**_known(Tell, common))
    common["options"] = checked_options(fields["action"], _options(fields))
    common["target"] = _target(fields["target"])
    return Ask(**_known(Ask, common))


def _options(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options; before there were any, every ask had a step, which one action used."""
    if "options" in fields:
        return dict(fields["options"])
    takes_step = "step" in action_spec(fields["action"]).options.model_fields
    return {"step": fields["step"]} if takes_step else {}


def _target(fields: Mapping[str, Any]) -> Target:
    kind = kind_spec(fields["kind"]).target
    values = {name: tuple(at) if isinstance(at, list) else at for name, at in fields.items()}
    target: Target = kind(**_known(kind, values))
    return target


def _known(kind: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in kind.__dataclass_fields__ if name in fields}
