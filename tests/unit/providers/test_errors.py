from __future__ import annotations

from http.client import RemoteDisconnected
from socket import gaierror

import httpx
import pytest
import requests
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from service.domain.errors import FailureKind, VendorError
from service.providers.errors import (
    LONGEST_QUOTE,
    Call,
    from_status,
    in_words,
    never_sent,
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
        ({"errors": [{"code": 1134, "message": "wait"}, {"message": "m"}]}, "wait (1134); m"),
        ({"errors": [{"code": 1}, {"message": 7}]}, ""),
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
    assert "another shape than documented" in caught.value.sentence
    assert type(problem).__name__ not in caught.value.sentence


def test_a_vendor_error_passes_through_reading_as_it_is() -> None:
    error = no_answer(READ, "x")

    with pytest.raises(VendorError) as caught, reading(WRITE):
        raise error

    assert caught.value is error


DROPLET = Call("digitalocean", "resize droplet 101", False, "DIGITALOCEAN_TOKEN")
LOOK = Call("supabase", "read the status of project p-1", True)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            from_status(DROPLET, 503, "Service unavailable", None),
            (
                "DigitalOcean answered 503 to the request to resize droplet 101: "
                '"Service unavailable".'
            ),
        ),
        (
            from_status(LOOK, 503, "", None),
            "Supabase answered 503 to the request to read the status of project p-1.",
        ),
        (
            from_status(DROPLET, 429, "Too many requests", 120.0),
            (
                "DigitalOcean answered 429 to the request to resize droplet 101: "
                '"Too many requests", and asks to wait 2 min.'
            ),
        ),
        (
            from_status(DROPLET, 422, "size is not available", None),
            (
                "DigitalOcean answered 422 to the request to resize droplet 101: "
                '"size is not available". The same request will be refused again.'
            ),
        ),
        (
            from_status(DROPLET, 401, "Unable to authenticate you", None),
            (
                "DigitalOcean answered 401 to the request to resize droplet 101: "
                '"Unable to authenticate you". Check the credential in the setting '
                "DIGITALOCEAN_TOKEN: is it valid, and is it allowed to do this?"
            ),
        ),
        (
            no_answer(DROPLET, TimeoutError("The read operation timed out")),
            (
                "No usable answer came from DigitalOcean to the request to resize droplet 101: "
                "no answer in time."
            ),
        ),
        (
            never_sent(DROPLET, ConnectionRefusedError(111, "Connection refused")),
            (
                "DigitalOcean could not be reached to resize droplet 101: Connection refused; "
                "nothing was sent. Check the network and the vendor's status page."
            ),
        ),
    ],
    ids=lambda each: each[:30] if isinstance(each, str) else "",
)
def test_a_failure_says_who_answered_what_to_which_request_in_the_vendors_words(
    error: VendorError, sentence: str
) -> None:
    assert str(error) == error.sentence == sentence


def test_an_error_of_a_version_that_did_not_name_the_vendor_is_told_with_its_name() -> None:
    old = VendorError("slack", "post to C1", P, "the vendor refused.")
    assert str(old) == "Slack: post to C1: the vendor refused."


def _urllib3() -> Exception:
    """As `requests` reports a port where nobody listens."""
    refused = NewConnectionError(None, "Failed to establish: [Errno 111] Connection refused")  # type: ignore[arg-type]
    refused.__cause__ = ConnectionRefusedError(111, "Connection refused")
    pool = HTTPConnectionPool("127.0.0.1", 9)
    return requests.ConnectionError(MaxRetryError(pool, "/v2/apps", refused))


def _httpx() -> Exception:
    """The same, as httpx reports it."""
    problem = httpx.ConnectError("All connection attempts failed")
    problem.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return problem


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (_urllib3(), "Connection refused"),
        (
            ProtocolError("Connection aborted.", RemoteDisconnected("Remote end closed it")),
            "Remote end closed it",
        ),
        (gaierror(-2, "Name or service not known"), "Name or service not known"),
        (httpx.ReadTimeout("The read operation timed out"), "no answer in time"),
        (_httpx(), "Connection refused"),
        (httpx.ReadError(""), "the connection failed"),
        (ValueError("<object at 0x7f0011223344>"), "the connection failed"),
        ("the answer is not JSON", "the answer is not JSON"),
    ],
    ids=[
        "requests",
        "urllib3",
        "no such name",
        "timeout",
        "httpx",
        "no words",
        "a repr",
        "a sentence",
    ],
)
def test_what_a_library_raised_is_told_without_anything_of_python(
    reason: object, words: str
) -> None:
    assert in_words(reason) == words
