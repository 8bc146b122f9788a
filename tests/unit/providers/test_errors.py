from __future__ import annotations

import pytest

from service.domain.errors import FailureKind, VendorError
from service.providers.errors import (
    LONGEST_QUOTE,
    Call,
    from_status,
    no_answer,
    quote,
    reading,
    vendor_message,
)

READ = Call("vendor", "read it", repeatable=True)
WRITE = Call("vendor", "change it", repeatable=False, setting="THE_TOKEN", secret="abc-not-real")
T, P, U = FailureKind.TEMPORARY, FailureKind.PERMANENT, FailureKind.UNKNOWN


@pytest.mark.parametrize(
    ("status", "wait", "of_a_read", "of_a_write"),
    [
        (202, None, T, U),
        (302, None, P, P),
        (400, None, P, P),
        (401, None, P, P),
        (404, None, P, P),
        (408, None, T, T),
        (429, None, T, T),
        (429, 3.0, T, T),
        (500, None, T, U),
        (500, 3.0, T, U),
        (503, None, T, U),
        (503, 0.0, T, T),
        (524, None, T, U),
    ],
)
def test_a_status_means_the_same_for_every_vendor(
    status: int, wait: float | None, of_a_read: FailureKind, of_a_write: FailureKind
) -> None:
    assert from_status(READ, status, "", wait).kind is of_a_read
    assert from_status(WRITE, status, "", wait).kind is of_a_write


def test_a_quote_is_one_short_line_without_secrets() -> None:
    said = "bad\n\ttoken abc-not-real and EV[1:xx:yy] and EV[1:cut off"

    assert quote(WRITE, said) == "bad token [hidden] and [hidden] and [hidden] off"
    assert len(quote(WRITE, "x" * 1000)) == LONGEST_QUOTE


def test_a_secret_at_the_edge_of_a_quote_is_hidden_before_it_is_cut() -> None:
    said = "x" * (LONGEST_QUOTE - 5) + WRITE.secret

    assert "abc" not in quote(WRITE, said)


def test_a_call_shows_no_secret() -> None:
    assert WRITE.secret not in repr(WRITE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "m"}, "m"),
        ({"message": "m", "error": "e"}, "m; e"),
        ({"message": "m", "errors": ["a", "b"]}, "m; a; b"),
        ({"error": {"code": 1}, "errors": None}, ""),
        ("plain", "plain"),
        (["m"], ""),
        (None, ""),
    ],
)
def test_the_message_is_found_in_the_usual_places(body: object, said: str) -> None:
    assert vendor_message(body) == said


@pytest.mark.parametrize("problem", [KeyError("x"), TypeError("x"), ValueError("x")])
def test_an_answer_of_another_shape_is_no_usable_answer(problem: Exception) -> None:
    with pytest.raises(VendorError) as caught, reading(WRITE):
        raise problem

    assert caught.value.kind is U
    assert "Look at the target" in caught.value.sentence


def test_a_vendor_error_passes_through_reading_as_it_is() -> None:
    error = no_answer(READ, "x")

    with pytest.raises(VendorError) as caught, reading(WRITE):
        raise error

    assert caught.value is error
