"""Storms of notifications: new alerts and repeats, against the floor and against Alerta."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.report import Line, at_least
from benchmarks.rounds import Medians, interleaved
from benchmarks.workbench import Options, Workbench
from benchmarks.wrk import Receiver, Storm, blow

_Lines = Callable[[str, Receiver, Receiver, Options], Iterator[Line]]
"""Of one store: its name, the floor, ours."""

P99_SHARE = {16: 0.2, 64: 0.5}
"""What our p99 may be of the floor's, by connections."""


def new_alerts(options: Options) -> Iterator[Line]:
    """New alerts on the embedded default, against the floor."""
    return _beside_floor(options, "SQLite", _new_against_floor)


def new_alerts_postgres(options: Options) -> Iterator[Line]:
    """The same on PostgreSQL; the floor stays what it is."""
    return _beside_floor(options, "PostgreSQL", _new_against_floor)


def repeats(options: Options) -> Iterator[Line]:
    """The same two alerts again and again."""
    return _beside_floor(options, "SQLite", _repeats)


def repeats_postgres(options: Options) -> Iterator[Line]:
    """The same on PostgreSQL."""
    return _beside_floor(options, "PostgreSQL", _repeats)


def against_alerta(options: Options) -> Iterator[Line]:
    """New alerts beside Alerta on PostgreSQL: ours on the embedded default and on PostgreSQL."""
    with Workbench(options) as bench:
        theirs = bench.alerta()
        postgres = bench.runbookd("postgres", database_url=bench.database("runbookd")).receiver
        stores = {"SQLite": bench.runbookd("sqlite").receiver, "PostgreSQL": postgres}
        for connections in P99_SHARE:
            storm = Storm(connections, options.seconds)
            found = compared([theirs, *stores.values()], storm, options.rounds)
            for store, ours in stores.items():
                what = f"new alerts, {connections} connections, {store}"
                yield from _against_peer(what, found[ours.name], found[theirs.name])


def compared(receivers: Sequence[Receiver], storm: Storm, rounds: int) -> dict[str, Medians]:
    """All in turn, after one short storm each to warm them up."""
    for receiver in receivers:
        blow(receiver, Storm(storm.connections, 1, unique=storm.unique))
    return interleaved(rounds, {each.name: partial(blow, each, storm) for each in receivers})


def _beside_floor(options: Options, store: str, lines: _Lines) -> Iterator[Line]:
    with Workbench(options) as bench:
        url = bench.database("runbookd") if store == "PostgreSQL" else ""
        ours = bench.runbookd(database_url=url).receiver
        yield from lines(store, bench.floor(), ours, options)


def _new_against_floor(
    store: str, floor: Receiver, ours: Receiver, options: Options
) -> Iterator[Line]:
    for connections, share in P99_SHARE.items():
        found = compared([floor, ours], Storm(connections, options.seconds), options.rounds)
        base, us = found[floor.name], found[ours.name]
        what = f"new alerts, {connections} connections, {store}"
        yield _ratio(f"{what}: req/s ÷ floor", us, base, 0.6, 1.0)
        yield _p99(f"{what}: p99 ÷ floor's", us, base, share)


def _repeats(store: str, floor: Receiver, ours: Receiver, options: Options) -> Iterator[Line]:
    for connections in P99_SHARE:
        storm = Storm(connections, options.seconds, unique=False)
        found = compared([floor, ours], storm, options.rounds)
        base, us = found[floor.name], found[ours.name]
        what = f"repeats, {connections} connections, {store}: req/s ÷ floor"
        yield _ratio(what, us, base, 0.8, 1.3)


def _against_peer(what: str, us: Medians, them: Medians) -> Iterator[Line]:
    times = us.per_second / them.per_second
    shown = f"{times:.1f} ({us.per_second:.0f} : {them.per_second:.0f}{_failed(them)})"
    yield at_least(f"{what}: req/s ÷ Alerta 9.1's", times, 15, shown)
    yield _p99(f"{what}: p99 ÷ Alerta 9.1's", us, them, 0.1)


def _ratio(what: str, us: Medians, base: Medians, bound: float, aim: float) -> Line:
    ratio = us.per_second / base.per_second
    shown = f"{ratio:.2f} ({us.per_second:.0f} : {base.per_second:.0f}{_failed(us)})"
    line = at_least(what, ratio, bound, shown, aim)
    # An answer that is no 2xx is no answer, however quick.
    return line if us.failed == 0 else Line(what, line.target, shown, met=False)


def _p99(what: str, us: Medians, base: Medians, share: float) -> Line:
    ratio = us.p99_ms / base.p99_ms
    shown = f"{ratio:.2f} ({us.p99_ms:.0f} : {base.p99_ms:.0f} ms)"
    return Line(what, f"≤ {share:g}", shown, ratio <= share)


def _failed(found: Medians) -> str:
    return f", {found.failed} failed" if found.failed else ""
