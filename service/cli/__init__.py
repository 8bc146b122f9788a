"""The command line: `runbookd`. Each command is a module of its own, loaded when it is used.

Commands put parts together and show values. They decide nothing. A module here imports nothing
heavy at its top. A command loads what it needs when it runs, so that help, completion and lists
answer at once (`tests/unit/cli/test_cost.py`). Exit statuses: 0, all is well; 1, something is
wrong, and a sentence says what; 2, the command line was not understood.
"""

from service.cli.main import main

__all__ = ["main"]
