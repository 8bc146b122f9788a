"""Storms of notifications: new alerts and repeats, against the floor and against Alerta."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line, at_least
from benchmarks.rounds import Medians, in_turn, interleaved, percentile
from benchmarks.workbench import Options, Workbench
from benchmarks.wrk import Receiver, Storm, blow
from tests.processes import ROOT

_KEPT = 0.97
"""The least that a change may leave of the rate before; less is told from noise by ten rounds."""
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


def before(options: Options) -> Iterator[Line]:
    """New alerts and repeats beside another checkout's service, round by round.

    What counts is the median of the rounds' ratios; half of them lie in the interval shown.

    Raises:
        BenchmarkFailed: no other checkout was named.
    """
    if options.before is None:
        raise BenchmarkFailed("Name the checkout to compare with: --before DIRECTORY.")
    for store in ("SQLite", "PostgreSQL"):
        with Workbench(options) as bench:
            ours, theirs = (
                bench.runbookd(
                    name,
                    database_url=bench.database(name) if store == "PostgreSQL" else "",
                    checkout=checkout,
                ).receiver
                for name, checkout in (("ours", ROOT), ("before", options.before))
            )
            for connections in P99_SHARE:
                for unique in (True, False):
                    storm = Storm(connections, options.seconds, unique=unique)
                    yield _against_before(store, ours, theirs, storm, options.rounds)


def _against_before(
    store: str, ours: Receiver, theirs: Receiver, storm: Storm, rounds: int
) -> Line:
    _warm_up([ours, theirs], storm)
    found = in_turn(rounds, {each.name: partial(blow, each, storm) for each in (ours, theirs)})
    pairs = list(zip(found[ours.name], found[theirs.name], strict=True))
    ratios = [us.per_second / them.per_second for us, them in pairs]
    median = statistics.median(ratios)
    failed = sum(us.failed for us, _ in pairs)
    shown = (
        f"{median:.2f} ({percentile(ratios, 0.25):.2f} to {percentile(ratios, 0.75):.2f} in "
        f"{rounds} rounds; {statistics.median(us.per_second for us, _ in pairs):.0f} req/s)"
        + (f", {failed} failed" if failed else "")
    )
    kind = "new alerts" if storm.unique else "repeats"
    what = f"{kind}, {storm.connections} connections, {store}: req/s ÷ the checkout before"
    return Line(what, "≥ 0.97", shown, median >= _KEPT and failed == 0)


def compared(receivers: Sequence[Receiver], storm: Storm, rounds: int) -> dict[str, Medians]:
    """All in turn, after one short storm each to warm them up."""
    _warm_up(receivers, storm)
    return interleaved(rounds, {each.name: partial(blow, each, storm) for each in receivers})


def _warm_up(receivers: Sequence[Receiver], storm: Storm) -> None:
    for receiver in receivers:
        blow(receiver, Storm(storm.connections, 1, unique=storm.unique))


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
