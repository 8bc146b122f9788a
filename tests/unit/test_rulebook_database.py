"""What `check` says of poolers and replicas, and of rules about them; and the shipped file."""

from __future__ import annotations

import json
import re
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


REPLICAS = ", replicas: {max: 2, regions: [us-east-1]}"


@pytest.mark.parametrize(
    ("options", "replicas", "line", "said"),
    [
        ("{}", REPLICAS, 8, "set_replicas needs replicas, such as {replicas: 1}"),
        ("{replicas: 3}", REPLICAS, 8, "and db may have at most 2"),
        ("{replicas: 6}", REPLICAS, 8, "replicas must be at most 5"),
        ("{replicas: 1}", "", 8, "target db has no replicas; say how many"),
        ("{replicas: 1}", ", replicas: {max: 2}", 2, "replicas.regions is missing"),
        ("{replicas: 1}", ", replicas: {regions: [us-east-1]}", 2, "replicas.max is missing"),
        ("{replicas: 1}", ", replicas: {max: 6, regions: [us-east-1]}", 2, "max must be at most 5"),
        (
            "{replicas: 1}",
            ", replicas: {max: 2, regions: [Virginia]}",
            2,
            "Virginia is no region; write one such as eu-west-1",
        ),
        (
            "{replicas: 1}",
            ", replicas: {max: 2, regions: [us-east-1], max_lag: 10}",
            2,
            "max_lag must be a duration such as 10s",
        ),
        (
            "{replicas: 1}",
            ", replicas: {max: 2, regions: [us-east-1], max_lag: 20m}",
            2,
            "max_lag must be longer than 0 and at most 10m",
        ),
    ],
)
def test_replicas_that_cannot_be_meant_are_refused_with_their_line(
    tmp_path: Path, options: str, replicas: str, line: int, said: str
) -> None:
    asked = text(options, replicas).replace("set_pooler", "set_replicas")
    errors = "\n".join(told(tmp_path, asked))
    assert said in errors
    assert f"1.yml:{line}" in errors


def test_a_target_is_pinned_with_its_replicas(tmp_path: Path) -> None:
    asked = text("{replicas: 1}", REPLICAS).replace("set_pooler", "set_replicas")
    target = load(tmp_path, asked).targets["db"]
    assert isinstance(target, SupabaseTarget)
    assert target.replicas == {
        "max": 2,
        "regions": ["us-east-1"],
        "max_lag_s": 10.0,
        "readers": ["postgres"],
    }
    assert target.bounds == "ci_micro … ci_small, at most 2 replicas"
    pinned = json.loads(json.dumps(dump_request(request_for("set_replicas", target))))
    assert load_request(pinned).on == target


def test_the_shipped_file_for_the_database_is_valid_once_the_target_has_bounds(
    tmp_path: Path,
) -> None:
    pack, database = PACK.read_text(), DATABASE.read_text()
    sizes = "    sizes: [ci_micro, ci_small, ci_medium, ci_large]\n"
    assert sizes in pack
    lines = re.findall(r"^#   ((?:pooler|replicas): .*)$", database, re.MULTILINE)
    bounded = pack.replace(sizes, sizes + "".join(f"    {line}\n" for line in lines))
    assert load(tmp_path, bounded, database, env=ENV).warnings == ()
    assert any("has no pooler" in each for each in told(tmp_path, pack, database, env=ENV))
    assert packaged("pooler.yml").read_text() == database, "an installation carries it"


@pytest.mark.parametrize("name", ["Clients Wait For A Connection", "Database Is Busy Reading"])
def test_the_shipped_rules_wait_for_alerts_that_are_shipped(name: str) -> None:
    assert f"alert: {name}" in ALERTS.read_text()
    assert f'alertname="{name}"' in DATABASE.read_text()


def test_promtool_sees_the_alerts_fire_and_stay_silent_at_the_edges() -> None:
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
