"""Plain values of the command line, taken without Typer's way through pydantic.

Typer makes a pydantic adapter for each parameter of a command, given or not. That takes 0.1 s of
processor time, half of a whole list over HTTP (docs/performance.md). Text is text already, and a
number in its range needs no model. Whatever else is given still goes Typer's way, with its errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PLAIN = (str, int, bool)
_MOST_DIGITS = 9


def take_plainly(parameter: Any) -> None:
    """Have a parameter of a Typer command, where it is plain, take its value so.

    `_runtime_param` is private: what Typer would make itself when it is first needed. A test holds
    that readers do not load pydantic (`tests/unit/cli/test_cost.py`); should Typer change, they are
    slower and nothing else.
    """
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None:
        parameter._runtime_param = _Plain(descriptor)  # noqa: SLF001 - see above


@dataclass(frozen=True, slots=True)
class _Plain:
    """Stands where Typer keeps how a value is made of what was given."""

    descriptor: Any

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value; Typer's own error when it cannot be used."""
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
