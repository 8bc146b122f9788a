"""`runbookd pool`: what it prints, and its exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.commandline import CommandLine

SIZE = ("pool", "size", "--max-connections", "200")


def test_pools_that_do_not_fit_exit_with_1_and_say_what_fits(runbookd: CommandLine) -> None:
    said = runbookd(*SIZE, "--instances", "20", "--per-instance", "100")
    assert said.status == 1
    assert "1,850 too many" in said.out
    assert "What fits: 7 connections for each of 20 instances, or a pooler" in said.out


def test_pools_that_fit_exit_with_0(runbookd: CommandLine) -> None:
    said = runbookd(*SIZE, "--instances", "20", "--per-instance", "7")
    assert (said.status, said.err) == (0, "")
    assert "147 of 157" in said.out


def test_a_server_with_room_for_nobody_is_to_be_raised(runbookd: CommandLine) -> None:
    said = runbookd(
        "pool", "size", "--max-connections", "5", "--instances", "2", "--per-instance", "1"
    )
    assert said.status == 1
    assert "raise max_connections" in said.out


def test_programs_read_the_bounds_as_json(runbookd: CommandLine) -> None:
    said = runbookd(
        *SIZE, "--instances", "20", "--per-instance", "10", "--pooler-size", "300", "--json"
    )
    assert said.status == 1
    told = json.loads(said.out)
    assert (told["fits"], told["most_pool_size"], told["most_per_instance"]) == (False, 150, 10)
    assert [each["asked"] for each in told["bounds"]] == [200, 307]


def test_faults_of_a_file_are_told_with_file_and_line(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "db-pool.js"
    file.write_text("new Pool({\n  max: 100,\n})\n", encoding="utf-8")
    said = runbookd("pool", "check", str(file), "--instances", "10", "--max-connections", "200")
    assert said.status == 1
    assert f"{file}:2: pools too large together: " in said.out


def test_a_file_that_is_not_there_is_named(runbookd: CommandLine, tmp_path: Path) -> None:
    said = runbookd(
        "pool", "check", str(tmp_path / "no.js"), "--instances", "1", "--max-connections", "9"
    )
    assert said.status == 2
    assert "no.js cannot be read: No such file or directory." in said.err


@pytest.mark.parametrize("what", ["pgbouncer", "node"])
def test_a_rendered_file_is_all_that_is_printed(runbookd: CommandLine, what: str) -> None:
    said = runbookd("pool", "render", what, "--instances", "20", "--max-connections", "200")
    assert (said.status, said.err) == (0, "")
    first = said.out.splitlines()[0]
    assert first.lstrip(";/ ").startswith(f"Rendered by `runbookd pool render {what}`.")


def test_a_pool_that_cannot_fit_is_not_rendered(runbookd: CommandLine) -> None:
    said = runbookd("pool", "render", "node", "--instances", "200", "--max-connections", "20")
    assert (said.status, said.out) == (1, "")
    assert "too many" in said.err


def test_a_hostile_name_is_refused_and_nothing_is_printed(runbookd: CommandLine) -> None:
    said = runbookd(
        *("pool", "render", "pgbouncer", "--instances", "2", "--max-connections", "200"),
        *("--database", "a\nb = host=c"),
    )
    assert (said.status, said.out) == (2, "")
    assert "characters that a name in this file cannot have" in said.err
