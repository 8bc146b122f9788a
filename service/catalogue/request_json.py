"""What a queued run pins, as plain JSON, and back: it must survive deploys and crashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from service.catalogue.pinned import alerts_of
from service.catalogue.registry import action_spec, checked_options, kind_spec, target_fields
from service.domain.decisions.policy import policy_from_json
from service.domain.decisions.requests import ALERT, REPLAY, Held, Origin, Request, Wanted
from service.domain.rules.rules import Target

VERSION = 4
"""1 was one form for changes and another for pages and messages. It knew alerts as the only origin,
and named the run `run_id`. 2 had no links in its origin, 3 no policy. What was queued in them is
still read."""


def dump_request(request: Request) -> dict[str, Any]:
    """A request as plain values: the workflow's pinned input.

    Raises:
        NotInCatalogue: its action, options or kind of target are not in the catalogue.
    """
    target = request.on
    return {
        "version": VERSION,
        "id": request.id,
        "action": request.action,
        "origin": _origin_json(request.origin),
        "claim": request.claim,
        "direction": request.direction,
        "target": target and {"kind": target.kind, **target_fields(target)},
        "wanted": [_wanted_json(each) for each in request.wanted],
        "options": checked_options(request.action, request.options),
        "cooldown_s": request.cooldown_s,
        "settle_s": request.settle_s,
        "subject": request.subject,
        "severity": request.severity,
        "parent": request.parent,
        "step": request.step,
        "rules_hash": request.rules_hash,
        "policy": request.policy.to_json(),
        "override": request.override,
        "approved": request.approved,
        "expects": [_wanted_json(each) for each in request.expects],
        "hold_s": request.hold_s,
        "pin": request.pin,
        # Only where a level asks, so that the version before it reads all others.
        **({"held": [asdict(each) for each in request.held]} if request.held else {}),
    }


def _origin_json(origin: Origin) -> dict[str, Any]:
    """Without `notification` where no alert asks, as the version before it wrote it."""
    values = {
        **asdict(origin),
        "alerts": list(origin.alerts),
        "links": [list(link) for link in origin.links],
    }
    return values if origin.notification else {k: values[k] for k in values if k != "notification"}


def _wanted_json(wanted: Wanted) -> dict[str, Any]:
    """Without `least` where it is not set, so that the version before it reads it too."""
    values = asdict(wanted)
    return values if wanted.least else {key: values[key] for key in ("attribute", "by", "to")}


def load_request(pinned: Mapping[str, Any]) -> Request:
    """What `dump_request` wrote, now or in an earlier version.

    Fields that only a later version knows are left out, so that its runs are still understood
    after a deploy was taken back.

    Raises:
        NotInCatalogue: its action, options or kind of target are not in the catalogue.
    """
    fields = pinned if "version" in pinned else _from_version_1(pinned)
    values = {
        **fields,
        "origin": _origin(fields),
        "on": _target(fields["target"]),
        "wanted": tuple(Wanted(**_known(Wanted, each)) for each in fields["wanted"]),
        "options": checked_options(fields["action"], fields["options"]),
        "policy": policy_from_json(fields.get("policy")),
        "expects": tuple(Wanted(**_known(Wanted, each)) for each in fields.get("expects", ())),
        "held": tuple(Held(**_known(Held, each)) for each in fields.get("held", ())),
    }
    return Request(**_known(Request, values))


def _from_version_1(pinned: Mapping[str, Any]) -> dict[str, Any]:
    action = action_spec(pinned["action"])
    options = pinned.get("options")
    if options is None:
        # Every ask for a change had a step, which one action used.
        takes_step = "step" in action.options.model_fields
        options = {"step": pinned["step"]} if takes_step else {}
    return {
        **pinned,
        "version": VERSION,
        "id": pinned["run_id"],
        "origin": {
            "kind": REPLAY if pinned.get("replay") else ALERT,
            "by": pinned["rule"],
            "why": pinned["summary"],
            "alerts": pinned["alerts"],
        },
        "claim": pinned["run_id"].rpartition(".")[0],
        "direction": pinned.get("direction", action.direction),
        "target": pinned.get("target"),
        "options": options,
        "wanted": [asdict(each) for each in action.wanted(options)],
        "step": "",
    }


def _origin(fields: Mapping[str, Any]) -> Origin:
    links = tuple((href, text) for href, text in fields["origin"].get("links", ()))
    values = {**fields["origin"], "alerts": alerts_of(fields), "links": links}
    return Origin(**_known(Origin, values))


def _target(fields: Mapping[str, Any] | None) -> Target | None:
    if fields is None:
        return None
    kind = kind_spec(fields["kind"]).target
    values = {name: tuple(at) if isinstance(at, list) else at for name, at in fields.items()}
    target: Target = kind(**_known(kind, values))
    return target


def _known(kind: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in kind.__dataclass_fields__ if name in fields}
