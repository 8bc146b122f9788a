"""`runbookd tail`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from service.cli.completion import complete_target
from service.cli.output import print_json, tell
from service.cli.reading import Reader, TokenFile, Url, filters, open_reader
from service.cli.runs import change
from service.domain.durations import parse_duration
from service.domain.errors import Told
from service.domain.text import one_line

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

LOOK_S = 1.0
"""Seconds between two looks."""
NEWEST = "100"
"""How many of the newest alerts, decisions and runs a look reads. What a storm brings beyond that
within a second is not shown."""
_KINDS = ("alerts", "decisions", "runs")
_COLOURS = {"failed": "red", "held": "yellow", "firing": "yellow", "succeeded": "green"}

Event = dict[str, Any]


@app.command("tail")
def tail(
    target: Annotated[
        str | None,
        typer.Option(
            help="Only decisions and runs of this target.", autocompletion=complete_target
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=100, help="How many of before, at first.")
    ] = 10,
    lasts: Annotated[
        str | None, typer.Option("--for", help="End after so long: 10m. Otherwise by Ctrl-C.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: an object in each line.")
    ] = False,
) -> None:
    """What comes, as it comes: alerts, decisions, and what becomes of runs.

    Times are in UTC. A repeat that changes no decision is not shown.

    [bold]Examples[/bold]

      runbookd tail

      runbookd tail --target api --for 30m --json
    """
    try:
        length = None if lasts is None else parse_duration(lasts).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    follower = Follower(open_reader(url, token_file), target)
    show = _show_json if as_json else _show
    shown = follower.look()
    for event in shown[len(shown) - min(lines, len(shown)) :]:
        show(event)
    until = None if length is None else time.monotonic() + length
    away = False
    while until is None or time.monotonic() < until:
        time.sleep(LOOK_S)
        try:
            found, away = follower.look(), False
        except Told as told:
            # Whoever watches an incident must not be thrown out by a restart of the service.
            if not away:
                tell(f"{told} It is asked again each second.", "red")
            away = True
            continue
        for event in found:
            show(event)


class Follower:
    """Finds what is new since its last look. `target` leaves out decisions and runs of others."""

    def __init__(self, reader: Reader, target: str | None) -> None:
        self._reader = reader
        self._filters = {
            "alerts": filters(limit=NEWEST),
            "decisions": filters(limit=NEWEST, target=target),
            "runs": filters(limit=NEWEST, target=target),
        }
        self._known: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}

    def look(self) -> list[Event]:
        """What came or changed, the oldest first."""
        found = [event for kind in _KINDS for event in self._new(kind)]
        return sorted(found, key=lambda event: str(event["at"]))

    def _new(self, kind: str) -> Iterator[Event]:
        items = self._reader.page(kind, self._filters[kind])["items"]
        before, self._known[kind] = self._known[kind], {}
        for item in items:
            event = _EVENTS[kind](item)
            # What is among the newest no more never comes back, so it need not be known.
            self._known[kind][item["id"]] = event["status"]
            if before.get(item["id"]) != event["status"]:
                yield event


def _alert(item: Mapping[str, Any]) -> Event:
    at = item["resolved_at"] or item["first_seen"]
    text = f"{item['name']} from {item['source']}"
    return {"at": at, "kind": "alert", "id": item["id"], "status": item["status"], "text": text}


def _decision(item: Mapping[str, Any]) -> Event:
    on = f" of {item['target']}" if item["target"] else ""
    text = f"{item['action']}{on} by rule {item['rule']}: {item['reason']}"
    return {
        "at": item["decided_at"],
        "kind": "decision",
        "id": item["alert"],
        "status": item["verdict"],
        "text": text,
    }


def _run(item: Mapping[str, Any]) -> Event:
    at = item["ended_at"] or item["started_at"] or item["created_at"]
    what = change(dict(item)) or item["action"]
    text = what if item["ended_at"] is None else item["reason"]
    return {"at": at, "kind": "run", "id": item["id"], "status": item["status"], "text": text}


_EVENTS = {"alerts": _alert, "decisions": _decision, "runs": _run}


def _show(event: Event) -> None:
    clock = datetime.fromisoformat(event["at"]).strftime("%H:%M:%S")
    style = _COLOURS.get(event["status"], "")
    text = one_line(event["text"])
    tell(f"{clock} {event['kind']} {event['id']} {event['status']}: {text}", style)
    sys.stdout.flush()


def _show_json(event: Event) -> None:
    print_json(event, indent=None)
