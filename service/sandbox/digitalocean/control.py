"""`POST /_sandbox/droplet`: sets how the droplet behaves, and acts on it as a person would."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json, one_of
from service.sandbox.digitalocean.droplet import (
    OUTCOMES,
    TYPES,
    ActionRefusedError,
    Droplet,
    Request,
)
from service.sandbox.digitalocean.sizes import DROPLET_SIZES

MOST_SECONDS = 36_000.0
"""For one action: ten hours."""
MOST_GB = 20_000.0
"""Of a disk: more than any droplet has."""
_ENDINGS = tuple(one for one in OUTCOMES if one != "hangs")


class DropletControlError(ValueError):
    """Why a change of the droplet is refused, in one sentence."""


def droplet_json(cloud: Cloud) -> Json:
    """The present values of what this control sets."""
    droplet = _droplet(cloud)
    return {
        "seconds": cloud.action_seconds_by_type,
        "seconds_per_gb": cloud.action_seconds_per_gb,
        "used_gb": droplet.used_gb,
        "region_sizes": list(droplet.region_sizes),
        "too_large": list(droplet.too_large),
        "status": droplet.status,
    }


def change_droplet(cloud: Cloud, body: Any, now: float) -> None:
    """Change everything that the body names.

    All values are checked before the first change, so a wrong value changes nothing.

    Raises:
        DropletControlError: the body makes no sense, or the vendor would refuse an action.
    """
    if not isinstance(body, dict) or not body:
        raise DropletControlError('The body must be a JSON object such as {"used_gb": 20}.')
    if unknown := sorted(set(body) - set(_FIELDS)):
        raise DropletControlError(
            f"The droplet has no {unknown[0]!r} to set; there are {', '.join(sorted(_FIELDS))}."
        )
    changes = [_FIELDS[name](name, value) for name, value in body.items()]
    for change in changes:
        change(cloud, now)


Change = Callable[[Cloud, float], None]


def _droplet(cloud: Cloud) -> Droplet:
    return cloud.droplets[cloud.config.droplet_id]


def _seconds(name: str, value: Any) -> Change:
    seconds = _by_type(name, value)

    def change(cloud: Cloud, now: float) -> None:
        if name == "seconds":
            cloud.action_seconds_by_type = seconds
        else:
            cloud.action_seconds_per_gb = seconds

    return change


def _used_gb(name: str, value: Any) -> Change:
    used_gb = _number(name, value, MOST_GB)

    def change(cloud: Cloud, now: float) -> None:
        _droplet(cloud).used_gb = used_gb

    return change


def _sizes(name: str, value: Any) -> Change:
    if not isinstance(value, list) or not all(one_of(each, DROPLET_SIZES) for each in value):
        raise DropletControlError(f"{name} must be a list of {', '.join(DROPLET_SIZES)}.")
    sizes = tuple(value)

    def change(cloud: Cloud, now: float) -> None:
        setattr(_droplet(cloud), name, sizes)

    return change


def _end(name: str, value: Any) -> Change:
    if not one_of(value, _ENDINGS):
        raise DropletControlError(f"end must be one of {', '.join(_ENDINGS)}.")

    def change(cloud: Cloud, now: float) -> None:
        _droplet(cloud).end(value, now)

    return change


def _act(name: str, value: Any) -> Change:
    if not one_of(value, TYPES - {"resize", "rename"}):
        raise DropletControlError("act must be a droplet action that needs no further field.")

    def change(cloud: Cloud, now: float) -> None:
        try:
            _droplet(cloud).start(Request(value), now, cloud.durations(), cloud.next_action_id())
        except ActionRefusedError as error:
            raise DropletControlError(f"The vendor refuses it: {error}") from None

    return change


_FIELDS: Mapping[str, Callable[[str, Any], Change]] = {
    "seconds": _seconds,
    "seconds_per_gb": _seconds,
    "used_gb": _used_gb,
    "region_sizes": _sizes,
    "too_large": _sizes,
    "end": _end,
    "act": _act,
}


def _by_type(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(one_of(each, TYPES) for each in value):
        raise DropletControlError(f"{name} must map droplet actions to seconds.")
    return {kind: _number(name, seconds, MOST_SECONDS) for kind, seconds in value.items()}


def _number(name: str, value: Any, most: float) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not math.isfinite(value) or not 0 <= value <= most:
        raise DropletControlError(f"{name} must be from 0 to {most:g}.")
    return float(value)
