"""Reads plain values of the command line without pydantic.

Typer makes a pydantic adapter for each parameter of a command, even if it is not given. That takes
0.1 s of processor time, half of a whole list over HTTP (docs/performance.md). Text needs no
conversion, and a number in its range needs no model. Typer still converts every other value, with
its own errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PLAIN = (str, int, bool)
_MOST_DIGITS = 9
"""Digits of a number that we read ourselves: int() is quick on these."""


def take_plainly(parameter: Any) -> None:
    """Make a parameter of a Typer command read plain values without pydantic.

    `_runtime_param` is private to Typer: the object that it would make on first use. If Typer
    changes, commands only get slower, and `tests/unit/cli/test_cost.py` fails, because it holds
    that readers do not load pydantic.
    """
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None:
        parameter._runtime_param = _Plain(descriptor)  # noqa: SLF001 - see above


@dataclass(frozen=True, slots=True)
class _Plain:
    """Takes the place of Typer's own object that converts a value."""

    descriptor: Any

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The converted value. Raises Typer's own error when it cannot be used."""
        kind, info = self.descriptor.annotation, self.descriptor.parameter_info
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind in _PLAIN and isinstance(value, kind):
            return value
        if kind is int and isinstance(value, str) and value.isdecimal():
            number = int(value[: _MOST_DIGITS + 1])
            low, high = info.min, info.max
            if (low is None or number >= low) and (high is None or number <= high):
                return number
        from typer._coercion import build_runtime_param

        return build_runtime_param(self.descriptor).coerce(value, param, ctx)
