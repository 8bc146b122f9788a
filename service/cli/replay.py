"""`runbookd replay`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.completion import complete_source
from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson
from service.cli.times import parse_moment
from service.cli.verdicts import verdict_words
from service.domain.filters import MAX_LIMIT, SOURCES, require_known

if TYPE_CHECKING:
    from service.bootstrap.replay import Replayer
    from service.domain.alerts.alert import Alert, Notification
    from service.ports.admission import Receipt
    from service.triggers.alerts.preview import Preview

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("replay")
def replay(  # noqa: PLR0917 - one parameter per option, all given by name
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="A stored alert (a-…); may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Stored alerts of this name.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Stored alerts of this sender; the sender of a --file.",
            autocompletion=complete_source,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="First seen at or after: ISO 8601, or a time ago (2h).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="First seen before.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="At most this many: the newest of them.")
    ] = 50,
    file: Annotated[
        Path | None, typer.Option(help="A saved payload instead of stored alerts.")
    ] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Do it: the ordinary way, under every guard.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What would be decided now about alerts of the past, and why.

    By default this changes nothing: it takes no cooldown and stores, queues and sends nothing.
    Stored alerts are replayed as firing, oldest first, in the groups in which they came. An
    [bold]act[/bold] means that a run would begin. Its worker would still look at the target, and
    might hold it.

    [bold]--execute[/bold] admits the alerts as if they came now, with the same guards and
    cooldowns. The runs are real. Decisions, runs and messages are marked as a replay.

    [bold]Examples[/bold]

      runbookd replay --name "High CPU Usage" --since 24h

      runbookd replay --id a-1a209c1021200001497ec6a2 --execute

      runbookd replay --file payload.json --source grafana
    """
    _refuse_mixture(ids, file, name=name, since=since, until=until)
    require_known("--source", source, SOURCES)
    from service.bootstrap.replay import build_replayer, read_payload
    from service.cli.beside import settings_beside_dev
    from service.cli.stored import GO_WHERE_IT_RUNS, open_stored
    from service.store.queries import AlertFilter

    settings = settings_beside_dev()
    open_stored(GO_WHERE_IT_RUNS).dispose()
    replayer = build_replayer(settings)
    wanted = AlertFilter(
        name=name, source=source, since=parse_moment(since), until=parse_moment(until)
    )
    if file is not None:
        notifications = [read_payload(file, source or "alertmanager")]
    elif ids:
        notifications = replayer.by_id(ids)
    else:
        notifications = replayer.stored(wanted, limit)
    if execute:
        _execute(replayer, notifications, as_json=as_json)
    else:
        _preview(replayer, notifications, as_json=as_json)


def _refuse_mixture(ids: Sequence[str] | None, file: Path | None, **filters: str | None) -> None:
    """Allow one way to choose at a time, so that nobody executes more than they meant."""
    named = [f"--{name}" for name, value in filters.items() if value is not None]
    if ids and (file or named):
        raise typer.BadParameter(f"--id already says which: leave {', '.join(named) or '--file'}")
    if file and named:
        raise typer.BadParameter(f"a --file is replayed whole: leave {', '.join(named)}")


def _preview(replayer: Replayer, notifications: Sequence[Notification], *, as_json: bool) -> None:
    from service.domain.decisions.decision_json import decision_json

    previews = replayer.preview(notifications)
    if as_json:
        print_json({"executed": False, "items": [_preview_json(each) for each in previews]})
        return
    _show(
        [(_label(each.alert), decision_json(d)) for each in previews for d in each.decisions],
        "Nothing was touched; --execute does it.",
    )


def _execute(replayer: Replayer, notifications: Sequence[Notification], *, as_json: bool) -> None:
    from service.domain.decisions.decision_json import decision_json

    receipts = replayer.execute(notifications) if notifications else []
    items = [
        {"alert": verdicted.alert, **decision_json(verdicted.decision)}
        for receipt in receipts
        for verdicted in receipt.verdicts
    ]
    if as_json:
        replays = [receipt.delivery for receipt in receipts]
        print_json({"executed": True, "notifications": replays, "items": items})
        return
    _show([(item["alert"], item) for item in items], _executed(receipts))


def _executed(receipts: Sequence[Receipt]) -> str:
    runs = {
        verdicted.decision.run
        for receipt in receipts
        for verdicted in receipt.verdicts
        if verdicted.decision.run
    }
    if not runs:
        return "Executed as a replay: no run was earned."
    return f"Executed as a replay: {', '.join(sorted(runs))}; see `runbookd runs`."


def _show(decided: Sequence[tuple[str, dict[str, Any]]], ending: str) -> None:
    if not decided:
        say("There are no such alerts.")
        return
    shown = Rows("alert", "rule", "verdict", "action", "why")
    for alert, decision in decided:
        target = f" on {decision['target']}" if decision["target"] else ""
        shown.add(
            alert,
            decision["rule"],
            verdict_words(decision["verdict"]),
            decision["action"] + target,
            decision["reason"],
        )
    shown.print()
    say(f"\n{ending}")


def _label(alert: Alert) -> str:
    where = alert.labels.get("instance") or alert.fingerprint
    return f"{alert.name or 'unnamed alert'} ({where})"


def _preview_json(each: Preview) -> dict[str, Any]:
    from service.domain.decisions.decision_json import decision_json
    from service.domain.rules.consulted import trace_json

    return {
        "source": each.alert.source,
        "fingerprint": each.alert.fingerprint,
        "name": each.alert.name,
        "labels": dict(each.alert.labels),
        "rules": [trace_json(trace) for trace in each.traces],
        "decisions": [decision_json(decision) for decision in each.decisions],
    }
