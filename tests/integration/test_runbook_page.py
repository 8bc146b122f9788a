"""docs/runbook.md tells of each section of the runbook, and each command that it names runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.processes import ROOT
from tests.redis_servers import RedisServer, executable
from tests.stack import Options, Stack
from tests.unit.cli.commandline import CommandLine

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = {
    "Scaling Triggers": ("Automatic Scaling Metrics", "Manual Scaling Decision Tree"),
    "Horizontal Scaling": (
        "DigitalOcean App Platform Auto-Scaling",
        "Manual Horizontal Scaling",
        "Load Balancer Configuration",
    ),
    "Vertical Scaling": (
        "DigitalOcean Droplet Sizes",
        "Vertical Scaling Process",
        "App Platform Vertical Scaling",
    ),
    "Database Scaling": (
        "Supabase Database Tiers",
        "Database Optimization Scripts",
        "Read Replica Setup",
        "Database Connection Pooling",
    ),
    "Caching Strategy": (
        "Multi-Layer Cache Architecture",
        "Redis Scaling Configuration",
        "CDN Cache Rules",
    ),
    "Cost Optimization": (
        "Resource Monitoring",
        "Automatic Cost Optimization",
        "Scheduled Scaling",
    ),
    "Performance Monitoring": (
        "Key Performance Indicators (KPIs)",
        "Monitoring Dashboard Queries",
        "Alert Configuration",
    ),
    "Scaling Scenarios": (
        "Scenario 1: Viral Growth",
        "Scenario 2: Gradual Growth",
        "Scenario 3: Seasonal Traffic",
    ),
    "Capacity Planning": (
        "Growth Projection Model",
        "Load Testing for Capacity Validation",
    ),
    "Emergency Scaling Procedures": ("Rapid Response Playbook",),
    "Scaling Checklist": ("Scaling Checklist",),
}
"""The runbook's chapters and their sections, in its order."""


@dataclass(frozen=True)
class Row:
    """A section: the file that runs it, the command that shows it, and what is different."""

    section: str
    file: str
    command: str
    differs: str


def rows_of(chapter: str) -> list[Row]:
    text = PAGE.split(f"\n## {chapter}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| section ")
    ]
    return [
        Row(name.strip(), file.strip("`"), shown.split("`")[1], differs)
        for name, file, shown, differs in cells
    ]


ROWS = [row for chapter in SECTIONS for row in rows_of(chapter)]


def settings_of_the_page() -> dict[str, str]:
    """The variables that the page exports, as a shell makes them."""
    found: dict[str, str] = {}
    for words in re.findall(r"^export (.+)$", PAGE, flags=re.MULTILINE):
        for word in words.split():
            name, _, value = word.partition("=")
            found[name] = value.replace("$RULES", found.get("RULES", ""))
    return found


def test_the_page_has_each_section_of_the_runbook_in_its_order() -> None:
    assert {chapter: tuple(row.section for row in rows_of(chapter)) for chapter in SECTIONS} == (
        SECTIONS
    )
    assert [row.section for row in ROWS if not row.differs] == []


def test_the_files_that_the_page_names_are_there() -> None:
    assert [row.file for row in ROWS if not (ROOT / row.file).is_file()] == []


def with_bounds(home: Path, name: str) -> Path:
    """A shipped file; the target `database` has the bounds that the page asks for."""
    text = (ROOT / "rules" / name).read_text(encoding="utf-8")
    if name == "quizmentor.yml":
        ladder = "sizes: [ci_micro, ci_small, ci_medium, ci_large]"
        bounds = re.findall(r"`((?:pooler|replicas): \{[^`]+\})`", PAGE)
        assert (ladder in text, len(bounds)) == (True, 2)
        text = text.replace(ladder, "\n    ".join([ladder, *bounds]))
    (home / name).write_text(text, encoding="utf-8")
    return home / name


@pytest.fixture(scope="module")
def environment(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The service with all shipped files, beside the sandbox and an application's own parts."""
    home = tmp_path_factory.mktemp("runbook")
    cache = RedisServer(executable(), home / "cache")
    cache.start()
    application = postgres.create()
    with psycopg.connect(application.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE questions (id int, topic text)")
        connection.execute("CREATE TABLE feature_flags (key text PRIMARY KEY, enabled bool)")
        connection.execute("CREATE ROLE quizmentor_app")
    page = settings_of_the_page()
    files = [with_bounds(home, name) for name in page.pop("RULES").split(",")]
    own = {"APP_DATABASE_URL": application, "APP_CACHE_URL": cache.url, **page}
    with Stack(home / "stack", Options(rules=files, redis="none", environment=own)) as stack:
        stack.start()
        yield stack.environment
    cache.stop()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.section)
def test_the_command_of_each_section_shows_it(
    row: Row,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(ROOT / "rules")
    program, *arguments = shlex.split(row.command)
    said = CommandLine(monkeypatch, capsys)(*arguments, env=environment)
    assert program == "runbookd"
    assert said.status == 0, (said.out, said.err)
    assert said.out.strip()
