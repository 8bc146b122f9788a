from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from service.catalogue.app_platform.spec import (
    INSTANCE_COUNT,
    INSTANCE_SIZE,
    component_names,
    component_state,
    kind_of,
    value_of,
    with_values,
)
from tests.fakes.apps import SPEC


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("api", "services"),
        ("mailer", "workers"),
        ("migrate", "jobs"),
        ("site", "static_sites"),
        ("nobody", None),
    ],
)
def test_a_component_is_found_in_its_section(name: str, kind: str | None) -> None:
    assert kind_of(SPEC, name) == kind


def test_only_what_runs_lasting_instances_can_be_scaled() -> None:
    assert component_names(SPEC) == ["api", "web", "mailer"]
    assert component_state(SPEC, "migrate") is None


@pytest.mark.parametrize("written", [{}, {"instance_count": None}], ids=["absent", "null"])
def test_a_component_without_a_count_runs_one(written: dict[str, Any]) -> None:
    spec = {"workers": [{"name": "mailer", **written}]}
    assert value_of(spec, "mailer", INSTANCE_COUNT) == 1


def test_a_component_with_native_autoscaling_has_no_count_of_its_own() -> None:
    block = {"min_instance_count": 1, "max_instance_count": 4}
    state = component_state({"services": [{"name": "api", "autoscaling": block}]}, "api")
    assert state is not None
    assert (state.replicas, state.autoscaling) == (None, block)


def test_a_spec_with_sections_that_are_null_is_read() -> None:
    spec: dict[str, Any] = {"services": None, "workers": None, "jobs": None}
    assert kind_of(spec, "api") is None
    assert value_of(spec, "api", INSTANCE_SIZE) is None


def test_one_value_is_changed_and_nothing_else() -> None:
    before = deepcopy(SPEC)
    changed = with_values(SPEC, "mailer", {INSTANCE_SIZE: "basic-s"})
    assert before == SPEC
    assert changed["workers"][0].pop("instance_size_slug") == "basic-s"
    del before["workers"][0]["instance_size_slug"]
    assert changed == before


def test_a_component_that_is_gone_cannot_be_changed() -> None:
    with pytest.raises(KeyError, match="nobody"):
        with_values(SPEC, "nobody", {INSTANCE_COUNT: 3})
