"""`runbookd nginx`, as a shell calls it. nginx itself is a script of the test, or the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.catalogue.nginx.render import render
from service.catalogue.nginx.target import NginxTarget
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


RULES = """\
targets:
  edge:
    kind: nginx
    file: /etc/nginx/conf.d/edge.conf
    servers: [{host: 127.0.0.1, port: 8081}]
  inner:
    kind: nginx
    file: /etc/nginx/conf.d/inner.conf
    servers: [{host: localhost, port: 8082}]
rules:
  - {name: e, match: ['alertname="E"'], action: apply_balancer, target: edge, cooldown: 5m}
  - {name: i, match: ['alertname="I"'], action: apply_balancer, target: inner, cooldown: 5m}
"""


def rules(folder: Path, text: str = RULES) -> dict[str, str]:
    """The settings with these rules."""
    (folder / "rules.yml").write_text(text, encoding="utf-8")
    return {"RULES": str(folder / "rules.yml")}


def test_the_file_of_a_target_is_printed_and_nothing_else(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    env = rules(tmp_path)
    said = runbookd("nginx", "render", "--target", "inner", env=env)
    assert (said.status, said.err) == (0, "")
    assert said.out == render(
        NginxTarget(
            "inner",
            "/etc/nginx/conf.d/inner.conf",
            "/etc/nginx/nginx.conf",
            ("localhost:8082",),
        )
    )


def test_the_only_balancer_of_the_rules_needs_no_name(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    head, _, tail = RULES.partition("  inner:")
    only = head + tail[tail.index("rules:") :].partition("  - {name: i")[0]
    said = runbookd("nginx", "render", env=rules(tmp_path, only))
    assert "server 127.0.0.1:8081" in said.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Say which target of kind nginx with --target: edge, inner."),
        (("--target", "outer"), "There is no target 'outer' of kind nginx; there is edge, inner."),
    ],
)
def test_which_file_is_to_be_printed_has_to_be_clear(
    runbookd: CommandLine, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    said = runbookd("nginx", "render", *arguments, env=rules(tmp_path))
    assert (said.status, said.out) == (2, "")
    assert sentence in said.err


def test_a_name_that_cannot_be_looked_up_is_told_beside_the_file(
    runbookd: CommandLine, tmp_path: Path
) -> None:
    """A name too long for DNS fails without asking anybody."""
    name = f"{'a' * 64}.example"
    env = rules(tmp_path, RULES.replace("localhost", name))
    said = runbookd("nginx", "render", "--target", "inner", env=env)
    assert said.status == 0
    assert f"server {name}:8082" in said.out
    assert said.err.startswith(f"{name} cannot be looked up here; nginx refuses")
