"""What the shell completes: commands, options and known values, without loading a store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.catalogue.registry import ACTIONS, names_with
from service.catalogue.spec import Effect
from service.cli.commands import ENTRIES
from service.cli.completion import complete_target, targets_of_rules
from service.domain import filters
from tests.processes import ROOT
from tests.unit.cli.commandline import CommandLine

HEAVY = {"pydantic", "sqlalchemy", "dbos", "flask", "httpx", "structlog"}


def completed(*words: str, shell: str = "bash", env: Mapping[str, str] | None = None) -> list[str]:
    """What is offered for the last of the words, which may be the beginning of one."""
    line = " ".join(("runbookd", *words))
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    program = (
        "import sys; sys.argv = ['runbookd']\n"
        "from service.cli import main\n"
        "try: main()\n"
        f"finally: sys.stderr.write(' '.join({HEAVY!r} & sys.modules.keys()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "_RUNBOOKD_COMPLETE": f"complete_{shell}", **asked, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stderr == "", said.stderr
    return said.stdout.split()


def test_commands_are_completed() -> None:
    assert completed("") == list(ENTRIES)
    assert completed("qua") == ["quarantine"]


def test_options_are_completed() -> None:
    found = completed("status", "--")
    assert {"--url", "--token-file", "--json", "--help"} <= set(found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("runs", "--status", ""), list(filters.RUN_STATUSES)),
        (("runs", "--status", "su"), ["succeeded"]),
        (("runs", "--action", ""), list(filters.ACTIONS)),
        (("alerts", "--source", ""), list(filters.SOURCES)),
        (("replay", "--source", "g"), ["grafana"]),
        (("runs", "--target", ""), ["api", "worker-vm", "database"]),
        (("status", "wo"), ["worker-vm"]),
    ],
    ids=" ".join,
)
def test_known_values_are_completed(words: tuple[str, ...], expected: list[str]) -> None:
    assert completed(*words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_form(shell: str) -> None:
    assert any("succeeded" in word for word in completed("runs", "--status", "su", shell=shell))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(
    runbookd: CommandLine, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Typer asks which shell it was started from, and not what is said here.
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    said = runbookd("--show-completion", shell)
    assert said.status == 0
    assert "_RUNBOOKD_COMPLETE" in said.out


def test_bash_completes_with_the_script_that_it_gets(tmp_path: Path) -> None:
    runbookd = tmp_path / "runbookd"
    runbookd.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c \"import sys; sys.argv[0] = 'runbookd'; "
        'from service.cli import main; main()" "$@"\n',
        encoding="utf-8",
    )
    runbookd.chmod(0o755)
    script = (
        'eval "$(runbookd --show-completion bash)"\n'
        "COMP_WORDS=(runbookd runs --status he); COMP_CWORD=3\n"
        '_runbookd_completion runbookd; echo "${COMPREPLY[@]}"'
    )
    said = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["held"]


def test_targets_are_those_of_the_files_that_rules_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a.yml", tmp_path / "b.yml"
    first.write_text("targets: {web: {app: '${UNSET}'}}\nrules: []\n", encoding="utf-8")
    second.write_text("targets: {cache: {}, web: {}}\n", encoding="utf-8")
    monkeypatch.setenv("RULES", f"{first}, {second}")
    assert targets_of_rules() == ["web", "cache"]
    assert complete_target("c") == ["cache"]


@pytest.mark.parametrize("text", ["targets: [", "targets: 1", "- 1", "", "\0"])
def test_a_broken_rule_file_completes_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RULES", f"{path},{tmp_path / 'missing.yml'}")
    assert targets_of_rules() == []


def test_without_rule_files_here_the_installed_pack_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RULES", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "api" in targets_of_rules()


def test_the_actions_that_are_named_are_those_of_the_catalogue() -> None:
    assert tuple(action.name for action in ACTIONS) == filters.ACTIONS
    assert names_with(Effect.CALLS) == filters.PAGING
