"""Checks an app spec as App Platform does, and encrypts its secrets.

The rules are those of DigitalOcean's app spec reference. A spec must be whole, and its sizes must
exist. A component has a count or autoscaling, never both. An encrypted secret must come back as it
was given out.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, TypeGuard

from service.sandbox.core.wire import Json, one_of
from service.sandbox.digitalocean.sizes import APP_SIZES, DEFAULT_APP_SIZE, AppSize

COMPONENT_KINDS = ("services", "workers", "jobs", "static_sites", "functions")
SCALED_KINDS = ("services", "workers", "jobs")
MAX_INSTANCES = 250
"""DigitalOcean's documented maximum of instances for one component."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_ENV_KEY = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
_REGIONS = frozenset({"atl", "nyc", "sfo", "tor", "ams", "fra", "lon", "blr", "sgp", "syd"})
_SOURCES = ("git", "github", "gitlab", "bitbucket", "image")
_SCOPES = frozenset({"UNSET", "RUN_TIME", "BUILD_TIME", "RUN_AND_BUILD_TIME"})
_METRICS = {
    "cpu": ("percent", 100),
    "requests_per_second": ("per_instance", 1_000_000),
    "request_duration": ("p95_milliseconds", 3_600_000),
}

Vault = dict[str, str]
"""The encrypted values that were given out for one app, each with the name of its variable."""


class SpecError(ValueError):
    """Why a spec is refused. `where` is the field's path in the vendor's words."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f'error validating app spec field "{where}": {reason}')


def accept(spec: Any, vault: Vault) -> Json:
    """A copy of the spec as the vendor stores it: checked, and with new secrets encrypted.

    The values that are encrypted here are added to `vault`.

    Raises:
        SpecError: the vendor would refuse the spec.
    """
    if not isinstance(spec, dict):
        raise SpecError("spec", "must be an object")
    _check_identity(spec)
    _check_components(spec)
    _check_secrets(spec, vault)
    stored = deepcopy(spec)
    _encrypt(stored, vault)
    return stored


def components(spec: Json, kinds: tuple[str, ...] = COMPONENT_KINDS) -> Iterator[tuple[str, Json]]:
    """Each component of the spec with its kind, in the order of the document."""
    for kind in kinds:
        for component in spec.get(kind) or ():
            yield kind, component


def size_of(component: Json) -> AppSize:
    """The size of a component: the one that it names, or the vendor's default."""
    return APP_SIZES[component.get("instance_size_slug") or DEFAULT_APP_SIZE]


def count_of(component: Json) -> int:
    """How many instances a component shall have. With autoscaling, its minimum."""
    scaling = component.get("autoscaling")
    if scaling:
        return int(scaling["min_instance_count"])
    return int(component.get("instance_count") or 1)


def monthly_cost(spec: Json) -> int:
    """The price of the spec a month in whole USD, as the vendor's proposal states it."""
    scaled = components(spec, SCALED_KINDS)
    return round(sum(size_of(part).usd_month * count_of(part) for _, part in scaled))


def _check_identity(spec: Json) -> None:
    _check_name("name", spec.get("name"))
    if "region" in spec and not one_of(spec["region"], _REGIONS):
        raise SpecError("region", f"{spec['region']!r} is not a region")


def _check_name(where: str, name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise SpecError(where, "is required")
    if not _NAME.fullmatch(name):
        raise SpecError(where, "must be 2 to 32 lower-case letters, digits and dashes")


def _check_components(spec: Json) -> None:
    seen: set[str] = set()
    for kind in COMPONENT_KINDS:
        parts = spec.get(kind) or []
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise SpecError(kind, "must be a list of objects")
        for part in parts:
            _check_component(kind, part)
            if part["name"] in seen:
                raise SpecError(f"{kind}.name", f"{part['name']!r} is used twice")
            seen.add(part["name"])
    if not seen and not spec.get("databases"):
        raise SpecError("spec", "must have at least one component")


def _check_component(kind: str, part: Json) -> None:
    _check_name(f"{kind}.name", part.get("name"))
    if not any(part.get(source) for source in _SOURCES):
        raise SpecError(f"{kind}.{part['name']}", "needs a source (git, github, image or the like)")
    if kind in SCALED_KINDS:
        _check_size_and_count(kind, part)
    elif part.get("autoscaling") or part.get("instance_count"):
        raise SpecError(f"{kind}.{part['name']}", "has no instances to scale")


def _check_size_and_count(kind: str, part: Json) -> None:
    slug = part.get("instance_size_slug") or DEFAULT_APP_SIZE
    if not one_of(slug, APP_SIZES):
        raise SpecError(f"{kind}.instance_size_slug", f"{slug!r} is not an instance size")
    size = APP_SIZES[slug]
    if part.get("autoscaling") is not None:
        _check_autoscaling(kind, part, size)
        return
    count = part.get("instance_count", 1)
    if not _whole(count) or not 1 <= count <= MAX_INSTANCES:
        raise SpecError(
            f"{kind}.instance_count", f"must be a whole number from 1 to {MAX_INSTANCES}"
        )
    if count > 1 and size.single_instance_only:
        raise SpecError(f"{kind}.instance_count", f"{slug} runs a single instance only")


def _check_autoscaling(kind: str, part: Json, size: AppSize) -> None:
    where, scaling = f"{kind}.autoscaling", part["autoscaling"]
    if kind == "jobs":
        raise SpecError(where, "jobs can't be autoscaled")
    if "instance_count" in part:
        raise SpecError(f"{kind}.instance_count", "must not be set if autoscaling is used")
    if not size.autoscales:
        raise SpecError(where, f"{size.slug} can't be autoscaled")
    if not isinstance(scaling, dict):
        raise SpecError(where, "must be an object")
    low, high = scaling.get("min_instance_count"), scaling.get("max_instance_count")
    if not _whole(low) or not _whole(high) or not 1 <= low <= high <= MAX_INSTANCES:
        raise SpecError(where, f"needs 1 <= min_instance_count <= max <= {MAX_INSTANCES}")
    _check_metrics(kind, where, scaling.get("metrics"))


def _check_metrics(kind: str, where: str, metrics: Any) -> None:
    if not isinstance(metrics, dict) or not metrics:
        raise SpecError(f"{where}.metrics", "needs at least one metric")
    for name, setting in metrics.items():
        if name not in _METRICS or (kind == "workers" and name != "cpu"):
            raise SpecError(f"{where}.metrics", f"{name!r} can't scale {kind}")
        key, most = _METRICS[name]
        value = setting.get(key, 80) if isinstance(setting, dict) else None
        if not _whole(value) or not 1 <= value <= most:
            raise SpecError(f"{where}.metrics.{name}.{key}", f"must be from 1 to {most}")


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _env_lists(spec: Json) -> Iterator[tuple[str, list[Json]]]:
    yield "envs", spec.get("envs") or []
    for kind, part in components(spec):
        yield f"{kind}.envs", part.get("envs") or []


def _check_secrets(spec: Json, vault: Vault) -> None:
    for where, envs in _env_lists(spec):
        if not isinstance(envs, list):
            raise SpecError(where, "must be a list")
        for env in envs:
            _check_env(where, env, vault)


def _check_env(where: str, env: Any, vault: Vault) -> None:
    key = env.get("key") if isinstance(env, dict) else None
    if not isinstance(key, str) or not _ENV_KEY.fullmatch(key):
        raise SpecError(f"{where}.key", "must be a variable name")
    if not one_of(env.get("scope", "UNSET"), _SCOPES):
        raise SpecError(f"{where}.scope", f"{env['scope']!r} is not a scope")
    kind, value = env.get("type", "GENERAL"), env.get("value", "")
    if not one_of(kind, ("GENERAL", "SECRET")):
        raise SpecError(f"{where}.type", f"{kind!r} is not a type")
    if not isinstance(value, str):
        raise SpecError(f"{where}.value", f"the value of {key} must be a string")
    if kind == "SECRET" and not value:
        raise SpecError(f"{where}.value", f"the secret {key} has no value")
    if value.startswith("EV[") and vault.get(value) != key:
        raise SpecError(f"{where}.value", f"the encrypted value of {key} was not made for it")


def _encrypt(spec: Json, vault: Vault) -> None:
    for _, envs in _env_lists(spec):
        for env in envs:
            value = env.get("value", "")
            if env.get("type") == "SECRET" and not value.startswith("EV["):
                env["value"] = f"EV[1:{secrets.token_urlsafe(24)}:{secrets.token_urlsafe(24)}]"
                vault[env["value"]] = env["key"]
