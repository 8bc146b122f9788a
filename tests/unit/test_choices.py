"""Sizes of another shape, which only a person may name; and the sizes that are known at all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from service.catalogue.actions import VERTICAL_SCALE
from service.catalogue.app_platform.target import PRICES as APPS
from service.catalogue.droplet.plan import plan_droplet_size
from service.catalogue.droplet.target import PRICES as DROPLETS
from service.catalogue.droplet.target import DropletTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import PERSON, Origin, Request, Wanted
from service.domain.people import BadRequest
from service.sandbox.digitalocean.sizes import APP_SIZES, DROPLET_SIZES
from service.triggers.people.asked import wanted_of
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.droplets import FakeDroplets
from tests.fakes.runs import planned, request_for, works_on
from tests.unit.rulebook_files import PACK, load, told
from tests.unit.test_planning_droplet import seen

TARGET = DropletTarget("worker-vm", "101", ("s-1vcpu-1gb", "s-1vcpu-2gb"), choices=("c-2",))
ANNA = Origin(PERSON, "anna", "it computes")
STEPS = ["s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb", "s-2vcpu-4gb", "s-4vcpu-8gb"]
BASIC = ["basic-xxs", "basic-xs", "basic-s"]
PROFESSIONAL = [f"professional-{size}" for size in ("xs", "s", "m", "l")]
RUNBOOK = ([*STEPS, "c-2", "c-4", "m-2vcpu-16gb"], [*BASIC, *PROFESSIONAL])
"""The sizes of DigitalOcean Droplet Sizes and of App Platform Vertical Scaling."""


def by_a_person(wanted: Wanted) -> Request:
    return replace(request_for("vertical_scale", TARGET), origin=ANNA, wanted=(wanted,))


def by_an_alert(wanted: Wanted) -> Request:
    return replace(request_for("vertical_scale", TARGET), wanted=(wanted,))


def test_a_person_names_a_choice_and_goes_back_to_the_ladder() -> None:
    there = plan_droplet_size(by_a_person(Wanted("size", to="c-2")), seen())
    assert isinstance(there, Plan)
    assert (there.before, there.after) == ("s-1vcpu-1gb", "c-2")
    assert (there.price_before, there.price_after) == (6.0, 42.0)
    back = plan_droplet_size(by_a_person(Wanted("size", to="s-1vcpu-2gb")), seen(size="c-2"))
    assert isinstance(back, Plan)
    assert back.after == "s-1vcpu-2gb"


@pytest.mark.parametrize(
    ("request_", "size", "guard"),
    [
        (by_an_alert(Wanted("size", to="c-2")), "s-1vcpu-1gb", "bounds"),
        (by_a_person(Wanted("size", to="c-4")), "s-1vcpu-1gb", "bounds"),
        (by_an_alert(Wanted("size", by=1)), "c-2", "chosen"),
        (by_a_person(Wanted("size", by=-1)), "c-2", "chosen"),
        (by_an_alert(Wanted("size", by=1)), "c-4", "ladder"),
    ],
    ids=[
        "an alert names none",
        "a person names no other",
        "an alert leaves it as it was chosen",
        "no step leads away from it",
        "what nobody has chosen is told as before",
    ],
)
def test_only_a_person_chooses_and_only_what_may_be_chosen(
    request_: Request, size: str, guard: str
) -> None:
    held = plan_droplet_size(request_, seen(size=size))
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.at_bound) == (guard, False)


def test_a_choice_whose_disk_is_smaller_is_held_before_the_droplet_goes_off() -> None:
    held = plan_droplet_size(
        by_a_person(Wanted("size", to="c-2")), seen(size="s-1vcpu-2gb", disk_gb=50)
    )
    assert isinstance(held, PlanHeld)
    assert held.guard == "disk"


def test_the_whole_change_to_a_choice_and_its_way_back_leave_the_droplet_on() -> None:
    clock = FakeClock()
    droplets = FakeDroplets(clock)
    works = works_on(clock, apps=FakeApps(clock), droplets=droplets)
    planned(works, by_a_person(Wanted("size", to="c-2")), clock).execute()
    assert (droplets.size, droplets.status) == ("c-2", "active")
    planned(
        works,
        replace(by_a_person(Wanted("size", to="s-1vcpu-1gb")), id="worker-vm.person.2"),
        clock,
    ).execute()
    assert (droplets.size, droplets.status) == ("s-1vcpu-1gb", "active")


def test_a_size_that_may_not_be_chosen_is_refused_with_those_that_may() -> None:
    assert wanted_of(VERTICAL_SCALE, TARGET, {"size": "c-2"}, None) == (Wanted("size", to="c-2"),)
    said = "not on the ladder of worker-vm: s-1vcpu-1gb → s-1vcpu-2gb, nor one of c-2."
    with pytest.raises(BadRequest, match=re.escape(said)):
        wanted_of(VERTICAL_SCALE, TARGET, {"size": "c-4"}, None)


def with_choices(choices: str) -> str:
    return (
        "targets:\n"
        "  vm:\n"
        "    kind: droplet\n"
        "    droplet: 1\n"
        "    sizes: [s-1vcpu-1gb, s-1vcpu-2gb]\n"
        f"    choices: {choices}\n"
        "rules:\n"
        "  - {name: m, match: [alertname=M], action: vertical_scale, target: vm, cooldown: 9m}\n"
    )


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ("[s-1vcpu-2gb]", "choices names s-1vcpu-2gb, which is on the ladder already."),
        ("[c-2, c-2]", "choices names c-2 more than once."),
        ("[ci_small]", "ci_small is a size of supabase, and this target is a droplet."),
        ("c-2", "choices must be a list, not 'c-2'."),
    ],
)
def test_choices_that_make_no_sense_are_refused_with_their_place(
    tmp_path: Path, choices: str, said: str
) -> None:
    assert told(tmp_path, with_choices(choices)) == [f"1.yml:6: target vm: {said}"]


def test_a_choice_that_is_a_slip_is_warned_of(tmp_path: Path) -> None:
    (warned,) = load(tmp_path, with_choices("[m-2vpcu-16gb]")).warnings
    assert "did you mean m-2vcpu-16gb?" in warned


def test_the_pack_leaves_the_runbooks_other_shapes_to_people(tmp_path: Path) -> None:
    target = load(tmp_path, PACK.read_text(encoding="utf-8")).targets["worker-vm"]
    assert (*target.sizes, *getattr(target, "choices")) == tuple(RUNBOOK[0])  # noqa: B009
    assert target.bounds.endswith("or c-2, c-4, m-2vcpu-16gb by people")


def test_the_runbooks_sizes_and_the_vendors_present_names_are_known_with_a_price() -> None:
    droplets, apps = RUNBOOK
    assert {*droplets} == DROPLETS.documented.keys() == DROPLET_SIZES.keys()
    assert {*apps} <= APPS.documented.keys() == APP_SIZES.keys()
    for name, size in APP_SIZES.items():
        assert APPS.documented[name] == size.usd_month
