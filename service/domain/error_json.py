"""Errors as plain values, and back: a failure is recorded, and raised again after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.errors import (
    Cancelled,
    FencedOut,
    HeldBack,
    StepFailed,
    StoreConflict,
    StoreLost,
    StoreUnavailable,
    TargetChanged,
    Unforeseen,
    VendorError,
)

_KINDS: Mapping[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        VendorError,
        StepFailed,
        TargetChanged,
        HeldBack,
        Cancelled,
        FencedOut,
        Unforeseen,
        StoreUnavailable,
        StoreConflict,
        StoreLost,
    )
}
"""All errors that a record can hold. A record names one of these, never a class to be imported."""


def as_recorded(error: BaseException) -> BaseException:
    """`error` itself if a record can hold it, else an Unforeseen that tells its class and text."""
    kind = type(error)
    return error if _KINDS.get(kind.__name__) is kind else Unforeseen(kind.__name__, str(error))


def dump_error(error: BaseException) -> dict[str, Any]:
    """The error as a record holds it."""
    known = as_recorded(error)
    return {"kind": type(known).__name__, "facts": list(known.args)}


def load_error(stored: Mapping[str, Any]) -> Exception:
    """The error that `dump_error` wrote; one that only a later version knows is an Unforeseen."""
    name, facts = stored["kind"], stored["facts"]
    kind = _KINDS.get(name)
    return kind(*facts) if kind else Unforeseen(name, "; ".join(str(fact) for fact in facts))
