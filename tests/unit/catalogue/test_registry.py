"""Every entry of the catalogue is whole, and what has no entry is refused."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from service.bootstrap.vendors import PORTS
from service.catalogue.actions import SET_CAPACITY, TELL
from service.catalogue.app_platform.autoscaling import SET_AUTOSCALING
from service.catalogue.registry import (
    ACTIONS,
    KINDS,
    NotInCatalogue,
    action_spec,
    change_of,
    kind_of_size,
    kind_spec,
    kinds_of,
)
from service.catalogue.shapes import Shape
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.commands import NO_UNDO
from service.domain.decisions.directions import DIRECTIONS
from service.domain.errors import StepFailed
from service.domain.links import is_web_address
from service.domain.rules.rules import DEFAULT_RULE, NO_DATA_RULE, TEST_RULE
from service.engine.queue import _QUEUES
from service.rulebook import load_rulebook
from service.sandbox.dispatch import VENDORS
from service.settings import VENDOR_SECRETS, load_settings
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.runs import DATABASE, request_for, works_on

ROOT = Path(__file__).parents[3]
IDS = {"API_APP_ID": "app-1", "DROPLET_ID": "101", "SUPABASE_PROJECT_REF": "project-1"}


def page_of(kind: KindSpec) -> str:
    """The page of documentation about a kind."""
    return (ROOT / "docs" / "kinds" / f"{kind.name}.md").read_text(encoding="utf-8")


each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)


@each_action
def test_an_action_has_an_effect_with_a_queue_and_a_name_that_fits_into_ids(
    action: ActionSpec,
) -> None:
    assert (action.effect in _QUEUES) == (action.effect is not Effect.NOTHING)
    assert re.fullmatch(r"[a-z_]{1,40}", action.name)
    assert re.fullmatch(r"[a-z]{1,10}", action.direction)
    assert issubclass(action.options, Shape)


@each_action
def test_an_action_that_changes_something_has_a_kind_and_no_other_has(action: ActionSpec) -> None:
    assert bool(kinds_of(action.name)) == (action.effect is Effect.CHANGES)


@each_action
def test_an_action_that_changes_a_target_goes_one_of_the_known_ways(action: ActionSpec) -> None:
    """The status of a target looks for its cooldowns by them."""
    assert action.effect is not Effect.CHANGES or action.direction in DIRECTIONS


@each_action
def test_the_options_of_an_action_have_defaults_that_are_valid(action: ActionSpec) -> None:
    assert action.options.model_validate({}).model_dump() is not None


@each_kind
def test_the_rule_file_that_the_page_of_a_kind_shows_makes_a_target_of_it(
    kind: KindSpec, tmp_path: Path
) -> None:
    shown = tmp_path / "rules.yml"
    shown.write_text(page_of(kind).split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    book = load_rulebook([shown], IDS)
    (target,) = book.targets.values()
    assert is_dataclass(kind.target)
    assert isinstance(target, kind.target)
    assert target.kind == kind.name
    assert ":" in target.resource
    assert target.bounds
    assert is_web_address(target.console)
    assert target.sizes or not kind.needs_sizes
    assert {rule.action for rule in book.rules} <= {action.name for action in kind.actions}


@pytest.mark.parametrize(
    "action", [SET_CAPACITY, SET_AUTOSCALING, TELL], ids=lambda action: action.name
)
def test_the_rules_that_the_page_of_an_action_shows_are_of_it(
    action: ActionSpec, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "actions" / f"{action.name}.md").read_text(encoding="utf-8")
    shown = tmp_path / "rules.yml"
    shown.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert {rule.action for rule in load_rulebook([shown], IDS).rules} == {action.name}
    assert all(f"`{name}`" in page for name in action.options.model_fields)


@each_kind
def test_a_kind_has_prices_that_belong_to_no_other_kind(kind: KindSpec) -> None:
    prices = kind.prices.documented
    assert prices or not kind.needs_sizes
    assert {kind_of_size(size) for size in prices} <= {kind.name}
    assert all(price > 0 for price in prices.values())


@each_kind
def test_a_kind_has_a_port_whose_secret_if_any_is_a_setting_that_only_a_worker_has(
    kind: KindSpec,
) -> None:
    if not PORTS[kind.name].secret:
        assert kind.name == "nginx"  # it is on the worker's own machine
        return
    assert PORTS[kind.name].secret in VENDOR_SECRETS
    assert load_settings({}).secret(PORTS[kind.name].secret).get_secret_value() == ""


def test_no_port_is_left_over_from_a_kind_that_is_gone() -> None:
    assert set(PORTS) == {kind.name for kind in KINDS}


@each_kind
def test_a_kinds_vendor_has_a_stand_in_in_the_sandbox(kind: KindSpec) -> None:
    """Where nothing stands in, its targets are off until their setting is given."""
    assert kind.stand_in in VENDORS or (not kind.stand_in and PORTS[kind.name].optional)


def test_what_an_action_cannot_undo_is_told_with_why() -> None:
    assert {action.name for action in ACTIONS if not action.undoes} == set(NO_UNDO)


@each_kind
def test_a_kind_has_a_page_that_names_its_keys_and_its_actions(kind: KindSpec) -> None:
    told = set(re.findall(r"`([a-z_0-9]+)[`:]", page_of(kind)))
    assert told >= set(kind.shape.model_fields) - {"kind"}
    assert told >= {action.name for action in kind.actions}


@each_kind
def test_a_kind_has_folders_where_a_reader_looks_for_them(kind: KindSpec) -> None:
    catalogue = ROOT / "service" / "catalogue" / kind.name
    assert (catalogue / "kind.py").is_file()
    assert (ROOT / "service" / "ports" / f"{kind.name}.py").is_file()
    assert (ROOT / "service" / "sandbox" / kind.stand_in).is_dir()


def test_the_rules_of_our_own_have_actions_that_need_no_target() -> None:
    for rule in (DEFAULT_RULE, NO_DATA_RULE, TEST_RULE):
        assert action_spec(rule.action).effect is Effect.TELLS


def test_directions_and_names_are_those_that_claims_are_stored_under() -> None:
    """They are part of run ids and of rows: a change of one would lose cooldowns."""
    assert {
        "horizontal_scale": "out",
        "vertical_scale": "up",
        "scale_database": "up",
        "page_oncall": "notify",
        "investigate": "notify",
    }.items() <= {action.name: action.direction for action in ACTIONS}.items()


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (lambda: action_spec("scale_everything"), "no action 'scale_everything'; there are hor"),
        (lambda: kind_spec("mainframe"), "no kind of target 'mainframe'; there are app_platform"),
    ],
)
def test_what_has_no_entry_is_refused_with_what_there_is(look: object, sentence: str) -> None:
    assert callable(look)
    with pytest.raises(NotInCatalogue, match=sentence):
        look()


def test_a_run_whose_action_cannot_change_its_target_fails_with_its_rules_name() -> None:
    works = works_on(FakeClock(), apps=FakeApps(FakeClock())).by_kind
    with pytest.raises(
        StepFailed, match=r"kind supabase; .*kind app_platform.*Correct rule a-rule"
    ):
        change_of(works, request_for("horizontal_scale", DATABASE))
