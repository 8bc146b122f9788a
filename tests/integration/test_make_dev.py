"""`make dev` the first time, on a machine where everything takes long: it says what it is doing.

The interpreter is a stand-in that waits before everything it does, so nothing is installed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, wait_until
from tests.programs import require

PATIENCE_S = 60.0
INTERPRETER = """\
#!/bin/sh
# Tells what it is asked for, and does it when it is let.
cd "$HERE" || exit
echo "$(basename "$0") $*" >> asked
while [ "$(wc -l < asked)" -gt "$(wc -l < let)" ]; do sleep 0.05; done
if [ "$2" = venv ]; then
  mkdir -p "$3/bin"
  cp python "$3/bin/python"
  cp python "$3/bin/runbookd"
fi
"""


class Making:
    """`make dev` with an environment of its own; what the interpreter was asked for, in order."""

    def __init__(self, here: Path) -> None:
        self.here = here
        interpreter = here / "python"
        interpreter.write_text(INTERPRETER)
        interpreter.chmod(0o755)
        for name in ("asked", "let"):
            (here / name).touch()
        make = require("make", "make")
        with (here / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [make, "dev", f"VENV={here / 'venv'}", f"PYTHON={interpreter}"],
                cwd=ROOT,
                # Under `make test` the flags of that make would be ours too.
                env={"PATH": os.environ["PATH"], "HERE": str(here)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> list[str]:
        """The lines of its output so far."""
        return (self.here / "output").read_text(encoding="utf-8").splitlines()

    def asked(self, number: int) -> str:
        """The `number`th thing that the interpreter is asked for; it waits for `let`."""
        log = self.here / "asked"
        assert wait_until(lambda: len(log.read_text().splitlines()) >= number, PATIENCE_S), (
            self.said
        )
        return log.read_text().splitlines()[number - 1]

    def let(self) -> None:
        """Let it do what it was asked for."""
        with (self.here / "let").open("a") as log:
            log.write("go on\n")


@pytest.fixture
def making(tmp_path: Path) -> Iterator[Making]:
    made = Making(tmp_path)
    yield made
    for _ in range(9):
        made.let()
    made.process.wait(PATIENCE_S)


def test_each_thing_that_takes_long_is_said_before_it_is_done(making: Making) -> None:
    steps = [
        ("python -m venv ", "making the environment"),
        ("python -m pip install ", "installing the libraries"),
        ("python -m pip install ", "installing runbookd itself"),
        ("runbookd dev", "Reading the settings and the rules"),
    ]
    for number, (command, words) in enumerate(steps, 1):
        assert making.asked(number).startswith(command)
        assert making.said[0].endswith("this takes about a minute.")
        assert words in making.said[-1]
        making.let()
    assert making.process.wait(PATIENCE_S) == 0
