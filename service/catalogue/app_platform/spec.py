"""Reading one component in an App Platform spec, and changing some values of it.

The vendor takes only whole specs, so that a change of one number passes through everybody
else's configuration and secrets. This is the one place that edits a spec, and it touches nothing
but the values that were planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from service.ports.app_platform import ComponentState

INSTANCE_COUNT = "instance_count"
INSTANCE_SIZE = "instance_size_slug"
MIN_COUNT = "autoscaling.min_instance_count"

SCALABLE = ("services", "workers")
"""The kinds of component that run a number of instances for as long as the app lives."""
_NOT_SCALABLE = ("jobs", "static_sites", "functions", "databases")

_DEFAULT_COUNT = 1
"""What the vendor runs when a spec names no instance_count (its OpenAPI document)."""


def kind_of(spec: Mapping[str, Any], name: str) -> str | None:
    """The section of the spec that holds the component (`services`, …); None where none does."""
    return next(
        (kind for kind in SCALABLE + _NOT_SCALABLE if any(_named(spec, kind, name))),
        None,
    )


def component_state(spec: Mapping[str, Any], name: str) -> ComponentState | None:
    """A component that can be scaled; None where there is none of that name."""
    component = _component(spec, name)
    if component is None:
        return None
    autoscaling = component.get("autoscaling") or None
    count = None if autoscaling else int(component.get(INSTANCE_COUNT) or _DEFAULT_COUNT)
    return ComponentState(name, count, str(component.get(INSTANCE_SIZE) or ""), autoscaling)


def value_of(spec: Mapping[str, Any], name: str, key: str) -> int | str | None:
    """The component's `instance_count`, `instance_size_slug`, or a field within it by its path,
    such as `health_check.http_path`.

    None where the component or the field is gone, or where native autoscaling decides on the count.
    """
    state = component_state(spec, name)
    if state is None:
        return None
    if key == INSTANCE_COUNT:
        return state.replicas
    if key == INSTANCE_SIZE:
        return state.size
    found: Any = _component(spec, name)
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | str) else None


def with_values(
    spec: Mapping[str, Any], name: str, values: Mapping[str, int | str | None]
) -> dict[str, Any]:
    """A copy of the whole spec in which only these values of that one component differ.

    None takes a field out, and with it a block of which nothing is left.
    """
    changed = deepcopy(dict(spec))
    component = _component(changed, name)
    if component is None:
        raise KeyError(name)
    for key, value in values.items():
        _put(component, key.split("."), value)
    return changed


def _put(block: dict[str, Any], path: list[str], value: int | str | None) -> None:
    first, *rest = path
    if not rest:
        if value is None:
            block.pop(first, None)
        else:
            block[first] = value
        return
    inner = block.get(first) or {}
    _put(inner, rest, value)
    if inner:
        block[first] = inner
    else:
        block.pop(first, None)


def component_names(spec: Mapping[str, Any]) -> list[str]:
    """The components that can be scaled, for a message that says what there is."""
    return [str(item.get("name")) for kind in SCALABLE for item in spec.get(kind) or ()]


def _component(spec: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    return next((item for kind in SCALABLE for item in _named(spec, kind, name)), None)


def _named(spec: Mapping[str, Any], kind: str, name: str) -> Iterator[dict[str, Any]]:
    return (item for item in spec.get(kind) or () if item.get("name") == name)
