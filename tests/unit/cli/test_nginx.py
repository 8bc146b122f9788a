"""`runbookd nginx`, as a shell calls it. nginx itself is a script of the test, or the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import require
from tests.unit.catalogue.test_nginx_lint import RUNBOOK, SOUND
from tests.unit.cli.commandline import CommandLine


def written(folder: Path, text: str) -> Path:
    file = folder / "edge.conf"
    file.write_text(text, encoding="utf-8")
    return file


def program(folder: Path, script: str) -> dict[str, str]:
    """The settings under which `script` stands in for nginx."""
    made = folder / "stand-in"
    made.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    made.chmod(0o755)
    return {"NGINX_COMMAND": str(made)}


def test_the_runbooks_file_is_refused_with_each_finding_by_file_and_line(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    file = written(tmp_path, RUNBOOK)
    said = runbookd("nginx", "check", str(file), env=program(tmp_path, "exit 0"))
    assert said.status == 1
    lines = said.out.splitlines()
    assert f"{file}:10: keepalive: keepalive has no effect" in lines[2]
    assert len(lines) == 8 + 1
    assert lines[-1] == f"{file}: nginx takes it."


def test_a_sound_file_that_nginx_takes_is_fine(runbookd: CommandLine, tmp_path: Path) -> None:
    said = runbookd(
        "nginx", "check", str(written(tmp_path, SOUND)), env=program(tmp_path, "exit 0")
    )
    assert (said.status, said.err) == (0, "")


def test_a_sound_file_is_not_called_good_where_there_is_no_nginx(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    env = {"NGINX_COMMAND": str(tmp_path / "not-there")}
    said = runbookd("nginx", "check", str(written(tmp_path, SOUND)), env=env)
    assert said.status == 2
    assert "nginx is not here" in said.out


def test_what_nginx_says_against_a_file_is_told_in_its_words(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    env = program(tmp_path, "echo 'nginx: [emerg] bad thing in edge.conf:3' >&2; exit 1")
    said = runbookd("nginx", "check", str(written(tmp_path, SOUND)), env=env)
    assert said.status == 1
    assert "nginx refuses it: [emerg] bad thing in edge.conf:3" in said.out


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(
    runbookd: CommandLine, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "edge.conf"
    if content is not None:
        file.write_bytes(content)
    said = runbookd("nginx", "check", str(file))
    assert said.status == 1
    assert said.err.startswith(f"{file} cannot be read: ")


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("server { listen 127.0.0.1:8080; return 204; }\n", 0, "nginx takes it"),
        ("server {\n  listen 8080;\n  resolve;\n}\n", 1, 'unknown directive "resolve"'),
        ("upstream x { server 10.0.0.1:80 resolve; }\n", 1, 'invalid parameter "resolve"'),
        ("events {}\nhttp { server { nothing; } }\n", 1, 'unknown directive "nothing"'),
    ],
)
def test_the_real_nginx_tests_whole_files_and_parts_of_http(
    runbookd: CommandLine, tmp_path: Path, text: str, status: int, words: str
) -> None:
    env = {"NGINX_COMMAND": require("nginx", "nginx")}
    said = runbookd("nginx", "check", str(written(tmp_path, text)), env=env)
    assert (said.status, words in said.out) == (status, True), said.out
