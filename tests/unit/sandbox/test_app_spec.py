"""What App Platform takes as a spec and what it refuses."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from service.sandbox.digitalocean.app_spec import SpecError, Vault, accept, monthly_cost

SPEC: dict[str, Any] = {
    "name": "quizmentor",
    "region": "nyc",
    "services": [
        {
            "name": "api",
            "github": {"repo": "your-org/quizmentor", "branch": "main"},
            "instance_count": 2,
            "instance_size_slug": "professional-xs",
        }
    ],
}
AUTOSCALING = {
    "min_instance_count": 2,
    "max_instance_count": 10,
    "metrics": {"cpu": {"percent": 70}},
}


def with_service(**fields: Any) -> dict[str, Any]:
    """The spec with these fields of its service changed; None takes a field out."""
    spec = deepcopy(SPEC)
    spec["services"][0] |= fields
    spec["services"][0] = {k: v for k, v in spec["services"][0].items() if v is not None}
    return spec


def autoscaled(**fields: Any) -> dict[str, Any]:
    return with_service(
        instance_count=None,
        instance_size_slug="professional-1l",
        autoscaling=AUTOSCALING | fields,
    )


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        with_service(instance_count=None),
        with_service(instance_size_slug="apps-d-2vcpu-4gb", instance_count=250),
        with_service(instance_size_slug="basic-xs", instance_count=1),
        autoscaled(),
        autoscaled(metrics={"requests_per_second": {"per_instance": 100}}),
    ],
)
def test_a_spec_within_the_rules_is_stored_as_it_is(spec: dict[str, Any]) -> None:
    assert accept(spec, {}) == spec


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ([], "spec"),
        ({"services": SPEC["services"]}, "name"),
        ({**SPEC, "name": "X"}, "name"),
        ({**SPEC, "region": "mars"}, "region"),
        ({"name": "quizmentor"}, "spec"),
        ({**SPEC, "services": SPEC["services"] * 2}, "services.name"),
        (with_service(name=None), "services.name"),
        (with_service(github=None), "services.api"),
        (with_service(instance_size_slug="professional-xxl"), "services.instance_size_slug"),
        (with_service(instance_count=0), "services.instance_count"),
        (with_service(instance_count=251), "services.instance_count"),
        (with_service(instance_count="3"), "services.instance_count"),
        (with_service(instance_count=True), "services.instance_count"),
        (with_service(instance_size_slug="basic-xs"), "services.instance_count"),
        (with_service(autoscaling=AUTOSCALING), "services.instance_count"),
        (autoscaled(max_instance_count=1), "services.autoscaling"),
        (autoscaled(max_instance_count=251), "services.autoscaling"),
        (autoscaled(metrics={}), "services.autoscaling.metrics"),
        (autoscaled(metrics={"cpu": {"percent": 101}}), "services.autoscaling.metrics.cpu.percent"),
    ],
)
def test_a_spec_against_the_rules_is_refused_by_the_name_of_its_field(
    spec: Any, where: str
) -> None:
    with pytest.raises(SpecError) as refused:
        accept(spec, {})
    assert f'"{where}"' in str(refused.value)


def test_workers_scale_themselves_on_cpu_only_and_jobs_not_at_all() -> None:
    part = autoscaled(metrics={"request_duration": {"p95_milliseconds": 500}})["services"][0]
    for kind in ("workers", "jobs"):
        with pytest.raises(SpecError, match=rf"{kind}\.autoscaling"):
            accept({"name": "quizmentor", kind: [part]}, {})


@pytest.mark.parametrize("size", ["apps-s-1vcpu-1gb", "professional-xs"])
def test_a_size_that_is_not_scalable_cannot_be_autoscaled(size: str) -> None:
    spec = autoscaled()
    spec["services"][0]["instance_size_slug"] = size
    with pytest.raises(SpecError, match="can't be autoscaled"):
        accept(spec, {})


def secret(value: str, key: str = "DATABASE_URL") -> dict[str, Any]:
    return with_service(envs=[{"key": key, "type": "SECRET", "value": value}])


def test_a_new_secret_is_kept_encrypted_and_its_encrypted_form_stays_as_it_is() -> None:
    vault: Vault = {}
    given = secret("postgres://plain")
    once = accept(given, vault)
    kept = once["services"][0]["envs"][0]["value"]
    assert kept.startswith("EV[1:")
    assert "plain" not in str(once)
    assert given == secret("postgres://plain")
    assert accept(once, vault) == once


def test_an_encrypted_secret_that_was_altered_renamed_or_emptied_is_refused() -> None:
    vault: Vault = {}
    kept = accept(secret("postgres://plain"), vault)["services"][0]["envs"][0]["value"]
    for spec in (secret(kept[:-2] + "]"), secret(kept, key="OTHER_URL"), secret("")):
        with pytest.raises(SpecError, match=r"services\.envs\.value"):
            accept(spec, vault)


@pytest.mark.parametrize(
    ("spec", "usd"),
    [
        (SPEC, 24),
        (with_service(instance_count=3), 36),
        (with_service(instance_size_slug="professional-l", instance_count=10), 1500),
        (with_service(instance_size_slug=None, instance_count=1), 5),
        (autoscaled(), 150),
    ],
)
def test_a_spec_costs_its_instances_at_the_vendors_prices(spec: dict[str, Any], usd: int) -> None:
    assert monthly_cost(spec) == usd
