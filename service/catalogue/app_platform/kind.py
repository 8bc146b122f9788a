"""App Platform's entry in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.catalogue.actions import HORIZONTAL_SCALE, SET_CAPACITY, VERTICAL_SCALE
from service.catalogue.app_platform.autoscaling import SET_AUTOSCALING
from service.catalogue.app_platform.autoscaling import errors as autoscaling_errors
from service.catalogue.app_platform.plan import (
    changed_component,
    component_costs,
    component_is,
    component_values,
    plan_component,
)
from service.catalogue.app_platform.steps import AppChange
from service.catalogue.app_platform.target import (
    NAME,
    PRICES,
    AppShape,
    AppTarget,
    build_app,
    doubts,
    errors,
    held_by_levels,
    levels_as,
    reaching,
)
from service.catalogue.spec import KindSpec
from service.ports import AppPlatform


def _look(apps: AppPlatform, target: AppTarget) -> str:
    apps.get_app(target.app)
    apps.list_deployments(target.app)
    apps.health(target.app)
    apps.instance_sizes()
    return f"DigitalOcean knows app {target.app}"


def _refuses(target: AppTarget, action: str, options: Mapping[str, Any]) -> Iterator[str]:
    yield from errors(target, action, options)
    if action == SET_AUTOSCALING.name:
        yield from autoscaling_errors(target, options)


KIND = KindSpec(
    name=NAME,
    stand_in="digitalocean",
    target=AppTarget,
    shape=AppShape,
    build=build_app,
    actions=(HORIZONTAL_SCALE, VERTICAL_SCALE, SET_CAPACITY, SET_AUTOSCALING),
    plan=plan_component,
    state=component_is,
    work=AppChange,
    look=_look,
    changed=changed_component,
    prices=PRICES,
    cost=component_costs,
    values=component_values,
    load=AppChange.load,
    interrupts=False,
    counts=lambda target: (target.min_replicas, target.max_replicas),
    size_form=r"(basic|professional)-(xxs|xs|s|m|l)|apps-[sd]-.+",
    # Two components of one app are two targets.
    manages=lambda target: f"component {target.component} of app {target.app}",
    doubts=doubts,
    levels=held_by_levels,
    levels_as=levels_as,
    reaching=reaching,
    refuses=_refuses,
    sizes_optional=True,
)
