"""`runbookd reload`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.output import Rows, fail, say, tell
from service.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.rules.told import ProcessRules

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_LOOK_S = 0.1


@app.command("reload")
def reload(
    wait_s: Annotated[
        float,
        typer.Option("--wait", min=0.0, help="Seconds to wait for the answers of the processes."),
    ] = 15.0,
) -> None:
    """Have every process read the rule files again, and see which rules each has then.

    A process reads a changed file by itself within two seconds, so this is for certainty, and for
    files whose changes cannot be seen from outside. It is asked through the database, so it takes
    no address and no token. Files with an error change nothing: the rules before stay in force. A
    setting, such as RULES or a secret, is read when a process starts, and not here.

    [bold]Exit status[/bold]: 1 when a process refuses its files, has other rules than the rest, or
    has not answered in time.

    [bold]Example[/bold]

      runbookd check && runbookd reload
    """
    import secrets
    import time

    from service.cli.beside import settings_beside_dev
    from service.cli.stored import GO_WHERE_IT_RUNS, open_stored
    from service.domain.rules.told import wrong_with
    from service.store.bell import bell_of
    from service.store.rulebooks import RulebookStore

    settings_beside_dev()
    engine = open_stored(GO_WHERE_IT_RUNS)
    store = RulebookStore(engine)
    number = secrets.token_hex(8)
    before = store.all(time.time())
    if not before:
        fail("No process runs on this database, so nothing was asked. Start web and a worker.")
    store.ask(number)
    bell_of(engine).ring()
    until = time.monotonic() + wait_s
    while (silent := _silent(found := store.all(time.time()), number)) and time.monotonic() < until:
        time.sleep(_LOOK_S)
    _show(found)
    wrong = [*wrong_with(found), *_unanswered(silent)]
    for sentence in wrong:
        say(one_line(sentence), "red")
    if wrong:
        raise typer.Exit(1)
    tell("All of them have the same rules.")


def _silent(found: Sequence[ProcessRules], number: str) -> list[ProcessRules]:
    """The processes that have not answered this request."""
    return [each for each in found if each.heard != number]


def _unanswered(silent: Sequence[ProcessRules]) -> list[str]:
    return [
        f"{each.name} has not answered. It reads changed files by itself; if it has ended, it is "
        "forgotten after 100 s."
        for each in silent
    ]


def _show(found: Sequence[ProcessRules]) -> None:
    shown = Rows("process", "rules")
    for each in found:
        shown.add(each.name, f"{each.hash or 'none'}{', files refused' if each.refused else ''}")
    shown.print()
