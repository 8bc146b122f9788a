"""What a backtest takes from the service: approvals, budgets, levels, shadow, retries, kinds."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import structlog

from service.backtest.installation import Approvals, Assumed
from service.backtest.model import MODELS
from service.bootstrap.backtest import _quiet
from service.catalogue.registry import KINDS, kind_spec
from service.domain.backtests.tally import told
from tests.fakes.alerts import CPU
from tests.unit.backtests.stage import (
    HOUR,
    MINUTE,
    compared,
    cpu,
    file_of,
    fired,
    installed,
    rule,
)

OUT = ("horizontal_scale", "api")
LASTS = fired(1, 0, 50 * MINUTE, repeats=4)
"""Told at 0, 10, 20, 30 and 40 minutes: with a cooldown of 20 minutes it asks at 0, 20 and 40."""


def test_what_people_would_have_said_is_an_option(tmp_path: Path) -> None:
    asks = file_of(cpu(mode="approve"))
    granted = compared(tmp_path / "1", asks, asks, [LASTS])
    refused = compared(tmp_path / "2", asks, asks, [LASTS], assumed=Assumed(Approvals.REFUSED))
    assert (granted.after.actions, granted.after.approvals) == ({OUT: 3}, 3)
    assert (refused.after.actions, refused.after.approvals) == ({}, 3)
    assert refused.after.holds == {"approval": 3, "cooldown": 2}


def test_a_rule_in_shadow_changes_nothing_and_is_counted_apart(tmp_path: Path) -> None:
    found = compared(tmp_path, file_of(cpu()), file_of(cpu(mode="shadow")), [LASTS])
    assert (found.before.actions, found.before.shadow) == ({OUT: 3}, {})
    assert (found.after.actions, found.after.shadow) == ({}, {OUT: 3})


def test_a_budget_holds_what_does_not_fit(tmp_path: Path) -> None:
    # Two instances cost $24 and the droplet $6 a month; four of them would cost $54.
    budget = "budget: {monthly: 45, over: hold}\n"
    found = compared(tmp_path, file_of(cpu()), file_of(cpu(), more=budget), [LASTS])
    assert found.before.actions == {OUT: 3}
    assert found.after.actions == {OUT: 1}
    assert found.after.holds["budget"] >= 1


def test_a_level_holds_what_it_says_and_bounds_alerts(tmp_path: Path) -> None:
    level = (
        'levels:\n  - {name: crowd, kind: calendar, zone: UTC, when: {dates: "05-01..12-31"}, '
        "hold: {api: {replicas: {floor: 4, ceiling: 5}}}}\n"
    )
    found = compared(
        tmp_path, file_of(cpu()), file_of(cpu(), more=level), [LASTS], until_s=2 * HOUR
    )
    assert found.after.actions[OUT] == 1  # from 4 to the ceiling of 5
    assert found.after.actions["set_capacity", "api"] == 1


def test_an_alert_that_was_held_for_a_time_acts_when_that_is_over(tmp_path: Path) -> None:
    # Told once and never again: with `settle` it waits for the change before it, not for a repeat.
    settle = file_of(cpu(settle="10m"), rule("more", "More", "vertical_scale", "vm", cooldown="5m"))
    alerts = [fired(1, 0, None), fired(2, MINUTE, None, name="More")]
    found = compared(tmp_path, settle, settle, alerts)
    assert found.after.actions[OUT] == 1
    assert found.after.actions["vertical_scale", "vm"] == 1


def test_the_top_of_a_ladder_pages(tmp_path: Path) -> None:
    memory = [fired(n, n * HOUR, 5 * MINUTE, name="Memory") for n in (1, 2, 3)]
    found = compared(tmp_path, file_of(cpu()), file_of(cpu()), memory)
    # Three sizes: two steps up, and the third alert meets the top.
    assert found.after.actions == {("vertical_scale", "vm"): 2}
    assert found.after.pages == {"memory": 1}
    assert found.after.holds == {"ladder_top": 1}


def test_every_kind_has_a_model_or_succeeds_simply() -> None:
    modelled = {kind.name for kind in KINDS if kind.name in MODELS}
    assert modelled == {"app_platform", "droplet", "supabase", "valkey"}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_a_model_shows_first_is_what_the_kind_can_read(name: str, tmp_path: Path) -> None:
    targets = """\
targets:
  app_platform: {kind: app_platform, app: app-1, component: api, replicas: {min: 2, max: 6}}
  droplet: {kind: droplet, droplet: 101, sizes: [s-1vcpu-1gb, s-1vcpu-2gb]}
  supabase: {kind: supabase, project: quizmentorquizmentor, sizes: [ci_micro, ci_small]}
  valkey:
    {kind: valkey, cluster: 9cc10173-e9ea-4176-9dbc-a4cee4c4ff30,
     sizes: [db-s-1vcpu-1gb, db-s-1vcpu-2gb]}
"""
    rules = (
        rule("a", "A", "horizontal_scale", "app_platform", cooldown="5m"),
        rule("b", "B", "vertical_scale", "droplet", cooldown="5m"),
        rule("c", "C", "scale_database", "supabase", cooldown="5m"),
        rule("d", "D", "scale_cache", "valkey", cooldown="5m"),
    )
    with installed(tmp_path / "one", file_of(*rules, targets=targets)) as one:
        target = one.book.targets[name]
        observed = one.targets.observed(target)
        assert observed is not None
        kind = kind_spec(name)
        assert kind.values(observed)
        assert "status" not in kind.state(observed)
        kind.cost(observed)
    pasts = [fired(n, 0, MINUTE, name=what) for n, what in enumerate("ABCD", start=1)]
    text = file_of(*rules, targets=targets)
    found = compared(tmp_path / "two", text, text, pasts)
    assert sorted(target for _, target in found.after.actions) == sorted(MODELS)
    assert found.after.failed == 0


def test_nothing_that_is_pretended_is_logged_and_logs_come_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    former = structlog.get_config()
    with _quiet():
        compared(tmp_path, file_of(cpu()), file_of(cpu()), [fired(1, 0, MINUTE, name=CPU)])
    assert capfd.readouterr().out == ""
    assert structlog.get_config() == former
    assert logging.root.manager.disable == logging.NOTSET


def test_levels_are_applied_when_they_begin_and_when_they_end(tmp_path: Path) -> None:
    # NOW is 20:26:40 UTC on a Thursday. At 21:00 two become four, at 23:00 two again.
    level = (
        "levels:\n  - {name: evening, kind: schedule, zone: UTC, "
        'when: {days: mon-sun, between: ["21:00", "23:00"]}, '
        "hold: {api: {replicas: {aim: 4}}}, otherwise: {api: {replicas: {aim: 2}}}}\n"
    )
    plain, level_file = file_of(cpu()), file_of(cpu(), more=level)
    found = compared(tmp_path, plain, level_file, [], until_s=4 * HOUR)
    assert found.after.actions == {("set_capacity", "api"): 2}
    # The ladder's smallest size costs $12 a month of 730 hours.
    each = 12 / 730
    assert found.before.dollars["api"] == round(each * 2 * 4, 2)
    assert found.after.dollars["api"] == round(each * (2 * 4 + 2 * 2), 2)


def decides(branch: str) -> str:
    """The rule that decides, with one branch. At a load of 100 % the tree leads to `cpu`."""
    return rule("slow", CPU, "decide", with_=f"{{cpu: {branch}}}", cooldown="20m")


def test_rules_that_decide_come_out_differently_where_a_branch_differs(tmp_path: Path) -> None:
    out, up = "{action: horizontal_scale, target: api}", "{action: vertical_scale, target: vm}"
    other = rule("other", "Nobody Sends This", "horizontal_scale", "api", cooldown="5m")
    before, after = file_of(other, decides(out)), file_of(other, decides(up))
    alerts, load = [fired(1, 0, 5 * MINUTE)], Assumed(load=100.0)
    found = compared(tmp_path, before, after, alerts, assumed=load)
    assert found.before.actions == {OUT: 1}
    assert found.after.actions == {("vertical_scale", "vm"): 1}
    (differs,) = found.differing()
    assert told(differs.before) == "horizontal_scale api: changed"
    assert told(differs.after) == "vertical_scale vm: changed"


def test_a_branch_that_is_held_is_counted_and_told(tmp_path: Path) -> None:
    # Another rule has just changed what the branch asks for, so its claim rests.
    more = rule("more", "More", "horizontal_scale", "api", cooldown="2h")
    rules = file_of(more, decides("{action: horizontal_scale, target: api}"))
    alerts = [fired(1, 0, 5 * MINUTE, name="More"), fired(2, 10 * MINUTE, 5 * MINUTE)]
    found = compared(tmp_path, file_of(more), rules, alerts, assumed=Assumed(load=100.0))
    assert found.after.actions == {OUT: 1}
    assert found.after.holds == {"cooldown": 1}
    (differs,) = found.differing()
    assert told(differs.after) == "horizontal_scale api: held by cooldown"


@pytest.mark.parametrize(("mode", "does"), [("act", "start"), ("shadow", "plan")])
def test_a_rule_that_starts_a_scenario_rests_for_its_cooldown_and_then_asks_again(
    tmp_path: Path, mode: str, does: str
) -> None:
    start = rule("rush", CPU, "start_scenario", with_="{scenario: rush}", cooldown="20m", mode=mode)
    step = "{id: out, action: set_capacity, target: api, to: {replicas: 6}, undo: restore}"
    scenario = (
        "scenarios:\n  rush: {start: {rule: rush}, spend: {up_to: $60}, ends: {after: 1h}, "
        f"steps: [{step}]}}\n"
    )
    rules = file_of(start, more=scenario)
    found = compared(tmp_path, file_of(cpu()), rules, [LASTS])
    assert found.after.actions == {}
    (differs,) = found.differing()
    became = f"held by cooldown ×2, would {does} scenario rush ×3"
    assert told(differs.after) == f"start_scenario: {became}"


def test_what_always_needs_a_person_is_asked_for_and_not_done_where_people_refuse(
    tmp_path: Path,
) -> None:
    targets = "targets:\n  account: {kind: digitalocean_account}\n"
    bill = rule("bill", "Bill", "remove_unused", "account", cooldown="1d")
    rules, alerts = file_of(bill, targets=targets), [fired(1, 0, 5 * MINUTE, name="Bill")]
    granted = compared(tmp_path / "1", rules, rules, alerts).after
    refusing = Assumed(Approvals.REFUSED)
    refused = compared(tmp_path / "2", rules, rules, alerts, assumed=refusing).after
    assert (granted.actions, granted.approvals) == ({("remove_unused", "account"): 1}, 1)
    assert (refused.actions, refused.approvals) == ({}, 1)
