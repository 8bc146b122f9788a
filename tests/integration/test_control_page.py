"""docs/control.md shows what the terminal prints, and names every verb and endpoint."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from service.bootstrap.startup import migrate
from service.cli.commands import ACT, ENTRIES
from service.settings import load_settings
from tests.fakes.web import sqlite_url
from tests.operators import Operators
from tests.processes import ROOT
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine

PAGE = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
VARY = [
    (r"\b([a-z])-[0-9a-f]{24}\b", r"\1-ID"),
    (r"(?:on \d{4}-\d\d-\d\d )?at \d\d:\d\d UTC", "at TIME"),
    (r"local:\S+", "local:WHO"),
    (r"\brbd_\S+", "rbd_SECRET"),
    (r"^(now|\d+ s ago)\b", "WHEN"),
    (r" +$", ""),
    (r" {2,}", "  "),
]
"""What differs each time: ids, times, who types, secrets, and widths of columns."""


def same(text: str) -> str:
    for what, instead in VARY:
        text = re.sub(what, instead, text, flags=re.MULTILINE)
    return text.strip()


def shown() -> list[tuple[str, str]]:
    """Each command, and what is shown below it."""
    parts = [part for block in EXAMPLES for part in re.split(r"(?m)^\$ ", block) if part]
    return [(command, said) for command, _, said in (part.partition("\n") for part in parts)]


def test_the_terminal_says_what_the_page_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    rules = str(ROOT / "rules" / "quizmentor.yml")
    env = {**SANDBOX_IDS, "RUNBOOKD_HOME": str(tmp_path), "RULES": rules}
    migrate(load_settings(env))
    line = CommandLine(monkeypatch, capsys)
    assert len(shown()) > 12
    for command, said in shown():
        name, *arguments = shlex.split(command)
        assert name == "runbookd"
        found = line(*arguments, env=env)
        assert same(found.out + found.err) == same(said), command


def test_the_page_names_each_verb_and_each_endpoint(tmp_path: Path) -> None:
    for verb, entry in ENTRIES.items():
        if entry.panel == ACT:
            assert f"`{verb} " in PAGE, verb
    table = PAGE.partition("```")[0]
    app = Operators(sqlite_url(tmp_path)).app
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api.") and rule.methods and rule.methods & {"POST", "DELETE"}:
            last = re.sub(r"<[^>]*>", "", rule.rule).rstrip("/").rpartition("/")[2]
            for word in ("pauses", "locks", "holds") if "plural" in rule.rule else (last,):
                assert f"/{word}" in table, rule.rule
