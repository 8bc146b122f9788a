from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli.replicas import app
from service.domain.replicas import render_config


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["render", *arguments])
    return done.exit_code, done.output


def test_the_configuration_is_printed_whole() -> None:
    assert run("--count", "2") == (0, render_config(2))


def test_a_file_is_replaced_whole_and_keeps_who_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "database.yml"
    file.write_text("old")
    file.chmod(0o640)
    status, said = run("--count", "1", "--output", str(file))
    assert (status, file.read_text()) == (0, render_config(1))
    assert file.stat().st_mode & 0o777 == 0o640
    assert "names 1 replicas" in said
    assert [each.name for each in tmp_path.iterdir()] == ["database.yml"], "nothing is left beside"


def test_a_file_that_cannot_be_replaced_is_left_and_nothing_stays_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "database.yml"
    file.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.cli.replicas.os.fsync", full)
    status, said = run("--count", "1", "--output", str(file))
    assert (status, file.read_text()) == (2, "old")
    assert "No space left on device" in said
    assert [each.name for each in tmp_path.iterdir()] == ["database.yml"]


def test_more_replicas_than_any_size_takes_are_refused() -> None:
    assert run("--count", "6")[0] == 2
