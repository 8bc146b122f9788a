"""`runbookd replicas`: how the application comes to read from read replicas."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from service.cli.output import MISUSED, fail, say

MOST = 5
"""The most replicas that any compute size of Supabase takes (docs/vendors.md)."""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def _replicas() -> None:
    """How the application comes to read from read replicas.

    [bold]Example[/bold]

      runbookd replicas render --count 2
    """


@app.command("render")
def render(
    count: Annotated[
        int,
        typer.Option("--count", min=0, max=MOST, help="How many replicas the application knows."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", help="Write it to this file, whole or not at all.")
    ] = None,
) -> None:
    """Print the application's database configuration for so many replicas.

    It refers to addresses as [bold]${REPLICA_URL}[/bold] and holds none of them: addresses with
    passwords stay in the application's environment. Nothing is asked of a vendor.

    Roll it out after set_replicas has succeeded, and before a replica is taken away.

    [bold]Example[/bold]

      runbookd replicas render --count 1

      runbookd replicas render --count 2 --output config/database.yml
    """
    from service.domain.replicas import render_config

    text = render_config(count)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        _write_whole(output, text)
    except OSError as problem:
        fail(f"{output} was not written: {problem.strerror or problem}.", MISUSED)
    say(f"{output} names {count} replicas.")


def _write_whole(path: Path, text: str) -> None:
    """Write beside it, then rename: whoever reads it meanwhile has the old file or the new one."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
