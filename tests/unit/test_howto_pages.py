"""The pages that tell what to type name commands and options that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from service.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = ("woken.md", "shadow.md", "watching.md")
TYPED = re.compile(r"`(?:podman [^`]*)?runbookd ([a-z]+)([^`]*)`")


def options_of(command: str) -> set[str]:
    """The options of a command, in all their spellings."""
    group = typer.main.get_command(app)
    context = typer.Context(group)
    _, found, _ = group.resolve_command(context, [command])  # type: ignore[attr-defined]  # a group
    return {each for option in found.params for each in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_type_can_be_typed(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    typed = TYPED.findall(text)
    assert typed
    for command, rest in typed:
        if not command.isupper():
            unknown = set(re.findall(r"--[a-z-]+", rest)) - options_of(command)
            assert not unknown, f"{page}: runbookd {command} has no {unknown}"
