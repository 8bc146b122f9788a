"""What `check` says of poolers, and of rules that set their size; and the shipped file for them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from service.catalogue.request_json import dump_request, load_request
from service.catalogue.supabase.target import SupabaseTarget
from service.rulebook.pack import packaged
from tests import programs
from tests.fakes.runs import request_for
from tests.unit.rulebook_files import ENV, PACK, load, told

DATABASE = PACK.parent / "pooler.yml"
ALERTS = PACK.parent / "prometheus" / "database.rules.yml"
TEXT = """\
targets:
  db: {{kind: supabase, project: ezekwbdnjxkoxjhzcfga, sizes: [ci_micro, ci_small]{pooler}}}
rules:
  - name: waiting
    match: ['alertname="Waiting"']
    action: set_pooler
    target: db
    with: {options}
    cooldown: 10m
"""


def text(options: str, pooler: str = ", pooler: {max: 60}") -> str:
    return TEXT.format(options=options, pooler=pooler)


@pytest.mark.parametrize(
    ("options", "pooler", "line", "said"),
    [
        ("{}", ", pooler: {max: 60}", 8, "set_pooler needs pool_size, such as {pool_size: 40}"),
        ("{pool_size: 61}", ", pooler: {max: 60}", 8, "and db may have 1 to 60"),
        ("{pool_size: 4}", ", pooler: {min: 5, max: 60}", 8, "and db may have 5 to 60"),
        ("{pool_size: 4}", "", 8, "target db has no pooler; give it the bounds"),
        ("{pool_size: 0}", ", pooler: {max: 60}", 8, "pool_size must be at least 1"),
        ("{pool_mode: session}", ", pooler: {max: 60}", 8, "unknown key pool_mode"),
        ("{pool_size: 4}", ", pooler: {min: 9, max: 6}", 2, "min must not be larger"),
        ("{pool_size: 4}", ", pooler: {max: 3001}", 2, "max must be at most 3000"),
        ("{pool_size: 4}", ", pooler: {min: 9}", 2, "pooler.max is missing"),
    ],
)
def test_a_pooler_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, options: str, pooler: str, line: int, said: str
) -> None:
    errors = "\n".join(told(tmp_path, text(options, pooler)))
    assert said in errors
    assert f"1.yml:{line}" in errors


def test_a_target_is_pinned_with_its_pooler_and_one_of_before_is_still_read(
    tmp_path: Path,
) -> None:
    target = load(tmp_path, text("{pool_size: 40}")).targets["db"]
    assert isinstance(target, SupabaseTarget)
    assert target.pooler == {"min": 1, "max": 60, "pools": 1, "reserved": 7}
    assert target.bounds == "ci_micro … ci_small, pool size 1–60"
    pinned = dump_request(request_for("set_pooler", target, options={"pool_size": 40}))
    assert load_request(pinned).on == target
    del pinned["target"]["pooler"]
    assert load_request(pinned).on == SupabaseTarget(target.name, target.project, target.sizes)


def test_the_shipped_file_for_the_pooler_is_valid_once_the_target_has_bounds(
    tmp_path: Path,
) -> None:
    pack, database = PACK.read_text(), DATABASE.read_text()
    sizes = "    sizes: [ci_micro, ci_small, ci_medium, ci_large]\n"
    assert sizes in pack
    bounded = pack.replace(sizes, f"{sizes}    pooler: {{max: 60}}\n")
    assert load(tmp_path, bounded, database, env=ENV).warnings == ()
    assert any("has no pooler" in each for each in told(tmp_path, pack, database, env=ENV))
    assert packaged("pooler.yml").read_text() == database, "an installation carries it"


def test_the_alert_of_the_pooler_is_what_the_shipped_rule_waits_for() -> None:
    name = "Clients Wait For A Connection"
    assert f"alert: {name}" in ALERTS.read_text()
    assert f'alertname="{name}"' in DATABASE.read_text()


def test_promtool_sees_the_alert_fire_and_stay_silent_at_the_edges() -> None:
    promtool = programs.require("promtool", "prometheus")
    for command in (
        ("check", "rules", ALERTS),
        ("test", "rules", ALERTS.with_suffix(".test.yml")),
    ):
        done = subprocess.run(
            [promtool, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
