"""The options of `set_autoscaling`, as `runbookd check` and people's requests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.catalogue.app_platform.autoscaling import SET_AUTOSCALING
from service.domain.decisions.requests import Wanted
from service.domain.people import BadRequest
from service.triggers.people.asked import wanted_of
from tests.fakes.runs import API
from tests.unit.rulebook_files import load, told
from tests.unit.test_rulebook_capacity import rule


def autoscaling(options: str) -> str:
    return rule(options).replace("set_capacity", "set_autoscaling")


def test_a_rule_that_is_whole_is_taken(tmp_path: Path) -> None:
    options = load(tmp_path, autoscaling("{min: 2, max: 10, cpu: 70, rps: 500}")).rules[-1].options
    assert {name: value for name, value in options.items() if value is not None} == {
        "min": 2,
        "max": 10,
        "cpu": 70,
        "rps": 500,
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{max: 10, cpu: 70}", "set_autoscaling needs min and max, such as {min: 2, max: 10"),
        ("{min: 5, max: 4, cpu: 70}", "set_autoscaling has min 5 above its max 4."),
        ("{fixed: 4, max: 8, cpu: 70}", "set_autoscaling has fixed beside max and cpu. With fixed"),
        ("{fixed: 11}", "fixed 11 is not what alerts may ask for of api, which is 2 to 10."),
        ("{fixed: 0}", "fixed must be at least 1"),
        ("{min: 2, max: 4}", "set_autoscaling needs a load to follow: cpu, rps or both"),
        ("{min: 1, max: 4, cpu: 70}", "min 1 is below the minimum of api, which is 2."),
        ("{min: 2, max: 11, cpu: 70}", "max 11 is above what alerts may ask for of api, which"),
        ("{min: 2, max: 4, cpu: 101}", "cpu must be at most 100, not 101."),
        ("{min: 2, max: 4, cpu: 70, health_path: health}", "health_path must be a path that"),
        ("{min: 2, max: 4, cpu: 70, health_period: 0}", "health_period must be at least 1"),
        ("{min: 2, max: 4, cpu: 70, size: c-2}", "set_autoscaling wants size c-2, which is not"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, options: str, said: str
) -> None:
    assert any(
        f"1.yml:13: rule viral: with: {said}" in each
        for each in told(tmp_path, autoscaling(options))
    )


def test_a_person_names_what_is_to_change() -> None:
    to = {"max": 8, "health_path": "/up", "size": "professional-l"}
    assert wanted_of(SET_AUTOSCALING, API, to, None) == (
        Wanted("max", to=8),
        Wanted("health_path", to="/up"),
        Wanted("size", to="professional-l"),
    )


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({"cpu": 101}, "cpu must be at least 1 and at most 100, not 101."),
        ({"max": True}, "max must be at least 1 and at most 250, not True."),
        ({"health_path": "health"}, "health_path must be a path that begins with /, not 'health'."),
        ({"replicas": 3}, "set_autoscaling changes min and max and cpu and rps and fixed"),
    ],
)
def test_what_a_person_cannot_mean_is_refused(to: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(said)):
        wanted_of(SET_AUTOSCALING, API, to, None)


def test_a_fixed_count_is_taken_alone_and_never_taken_back_in_calm(tmp_path: Path) -> None:
    text = autoscaling("{fixed: 4}")
    assert load(tmp_path, text).rules[-1].options["fixed"] == 4
    with_return = text.replace("    with:", "    return: {after: 30m}\n    with:")
    assert any(
        "return is of no use to set_autoscaling" in each for each in told(tmp_path, with_return)
    )
    between = autoscaling("{min: 2, max: 4, cpu: 70}").replace(
        "    with:", "    return: {after: 30m}\n    with:"
    )
    assert load(tmp_path, between).rules[-1].policy.returns is not None
    assert wanted_of(SET_AUTOSCALING, API, {"fixed": 4}, None) == (Wanted("fixed", to=4),)
