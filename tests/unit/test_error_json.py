from __future__ import annotations

import inspect
import json

import pytest

from service.domain import errors
from service.domain.error_json import as_recorded, dump_error, load_error
from service.domain.errors import (
    Cancelled,
    FailureKind,
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

EXAMPLES = [
    VendorError("digitalocean", "resize", FailureKind.TEMPORARY, "Busy.", 5.0, 429),
    VendorError("slack", "post", FailureKind.UNKNOWN, "No answer."),
    StepFailed("resize", "Droplet 101 is OFF → look at it."),
    TargetChanged("update_app", "A person changed it."),
    HeldBack("guards", "api is paused until 12:00.", "paused", 1_780_000_000.0),
    HeldBack("guards", "Nobody knows until when.", "locked", None),
    Cancelled("resize", "anna has cancelled it: the vendor is down"),
    FencedOut("worker-vm.up.1", 1, 2),
    Unforeseen("KeyError", "'size'"),
    StoreUnavailable("the database cannot be used now"),
    StoreConflict("deadlock detected"),
    StoreLost("the connection was closed"),
]


def test_every_error_that_a_step_may_raise_has_an_example_here() -> None:
    ours = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == errors.__name__
    } - {errors.Told}
    assert {type(example) for example in EXAMPLES} == ours


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_from_its_record_as_it_was(error: Exception) -> None:
    back = load_error(json.loads(json.dumps(dump_error(error))))

    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert back.args == error.args
    assert str(back) == str(error)


def test_an_error_that_no_step_may_raise_is_recorded_by_its_class_and_text() -> None:
    back = load_error(json.loads(json.dumps(dump_error(ZeroDivisionError("division by zero")))))

    assert isinstance(back, Unforeseen)
    assert str(back) == "ZeroDivisionError: division by zero"


def test_a_class_that_only_has_the_name_of_one_of_ours_is_not_taken_for_it() -> None:
    impostor = type("StepFailed", (Exception,), {})("not ours")
    assert isinstance(as_recorded(impostor), Unforeseen)


def test_an_error_of_a_later_version_is_not_looked_up_anywhere() -> None:
    back = load_error({"kind": "os.system", "facts": ["touch /tmp/x", 1]})

    assert isinstance(back, Unforeseen)
    assert str(back) == "os.system: touch /tmp/x; 1"
