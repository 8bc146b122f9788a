"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import machine, report
from benchmarks.parts import (
    cost,
    decision,
    history,
    idle,
    large,
    reaction,
    runs,
    soak,
    storms,
    terminal,
)
from benchmarks.processes import BenchmarkFailed
from benchmarks.report import Line
from benchmarks.workbench import Options

Part = Callable[[Options], Iterator[Line]]

PARTS: dict[str, Part] = {
    "storm": storms.new_alerts,
    "storm-postgres": storms.new_alerts_postgres,
    "alerta": storms.against_alerta,
    "repeats": storms.repeats,
    "repeats-postgres": storms.repeats_postgres,
    "large": large.large,
    "reaction": reaction.reaction,
    "decision": decision.decision,
    "cost": cost.cost,
    "history": history.history,
    "history-postgres": history.history_postgres,
    "idle": idle.idle,
    "terminal": terminal.terminal,
    "runs": runs.runs,
    "soak": soak.soak,
    "before": storms.before,
}


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for and show it; a target that is missed is no error."""
    asked = _parser().parse_args(arguments)
    everything = [name for name in PARTS if name != "before" or asked.before]
    names = asked.only.split(",") if asked.only else everything
    if unknown := sorted(set(names) - set(PARTS)):
        sys.exit(f"There is no part {unknown[0]!r}; there are {', '.join(PARTS)}.")
    options = Options(
        rounds=asked.rounds,
        seconds=asked.seconds,
        soak_s=asked.soak_seconds,
        stored_alerts=asked.stored_alerts,
        alerta_venv=asked.alerta_venv,
        before=asked.before,
    )
    lines = [line for name in names for line in _measured(name, options)]
    print(f"\n{report.text(lines)}\n")
    if asked.out is not None:
        asked.out.write_text("\n".join([*machine.described(), "", report.markdown(lines), ""]))
    return 0


def _measured(name: str, options: Options) -> Iterator[Line]:
    began = time.monotonic()
    print(f"{name} …", file=sys.stderr, flush=True)
    try:
        for line in PARTS[name](options):
            print(f"  {line.what}: {line.measured} [{line.verdict}]", file=sys.stderr, flush=True)
            yield line
    except BenchmarkFailed as error:
        print(f"  {error}", file=sys.stderr, flush=True)
        yield Line(name, "", f"not measured: {str(error).splitlines()[0]}", None)
    print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as Markdown too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each storm")
    parser.add_argument("--soak-seconds", type=float, default=600.0, help="of the long storm")
    parser.add_argument("--stored-alerts", type=int, default=1_000_000)
    parser.add_argument(
        "--alerta-venv",
        type=Path,
        default=Path.home() / ".cache" / "runbookd-benchmarks" / "alerta",
        metavar="DIRECTORY",
        help="where Alerta is, or gets, installed",
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIRECTORY",
        help="another checkout, ready by `make .venv/.ready`: both take turns in the same storms",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
