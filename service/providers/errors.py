"""What a vendor's answer, or the lack of one, means: one place, so that all vendors agree on it.

The question is always whether the vendor may have acted. A refused connection says no; a broken
one after a write says perhaps, and only a look at the vendor can tell. A call that has one effect
however often it is sent (a read, a PagerDuty event, an edit of a message) is `repeatable`, and for
it "perhaps" does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from service.domain.errors import FailureKind, VendorError
from service.domain.redaction import shown_addresses

LONGEST_QUOTE = 300
"""Characters of a vendor's own message that a sentence repeats; more hides the point of it."""
_ENCRYPTED = re.compile(r"EV\[[^\]\s]*\]?")
_MASK = "[hidden]"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a vendor, as its errors name it.

    `operation` is a verb and its object ("resize droplet 101"). `setting` is the name of the
    setting that holds the credential, for the sentence after a 401. `secret` is the credential
    itself, known here only so that no sentence repeats it.
    """

    vendor: str
    operation: str
    repeatable: bool
    setting: str = ""
    secret: str = field(default="", repr=False)

    def error(
        self,
        kind: FailureKind,
        sentence: str,
        *,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> VendorError:
        """This call's failure."""
        return VendorError(self.vendor, self.operation, kind, sentence, retry_after, status)


def quote(call: Call, text: str) -> str:
    """A vendor's own words in one line, without secrets, at most `LONGEST_QUOTE` characters."""
    line = " ".join(shown_addresses(_ENCRYPTED.sub(_MASK, text)).split())
    if call.secret:
        line = line.replace(call.secret, _MASK)
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def never_sent(call: Call, reason: object) -> VendorError:
    """No connection: the vendor saw nothing of it."""
    sentence = (
        f"no connection could be made ({quote(call, str(reason))}); nothing was sent. "
        "Check the network and the vendor's status page."
    )
    return call.error(FailureKind.TEMPORARY, sentence)


def no_answer(call: Call, reason: object, status: int | None = None) -> VendorError:
    """The request went out, and no usable answer came back."""
    happened = f"no usable answer came back ({quote(call, str(reason))})"
    if call.repeatable:
        sentence = f"{happened}; asking again does no harm."
        return call.error(FailureKind.TEMPORARY, sentence, status=status)
    sentence = (
        f"{happened}; the vendor may have acted or not. Look at the target before it is sent again."
    )
    return call.error(FailureKind.UNKNOWN, sentence, status=status)


def busy(call: Call, status: int, message: str, retry_after: float | None) -> VendorError:
    """The vendor took nothing now and asks for a later try."""
    wait = "" if retry_after is None else f" and asks to wait {retry_after:.0f} s"
    sentence = f"the vendor answered {status}{_said(call, message)}{wait}; nothing was done."
    return call.error(FailureKind.TEMPORARY, sentence, retry_after=retry_after, status=status)


def refused(call: Call, status: int | None, message: str) -> VendorError:
    """The vendor will answer the same request in the same way for ever."""
    said = _said(call, message)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        where = f" in the setting {call.setting}" if call.setting else ""
        sentence = (
            f"the vendor answered {status}{said}; nothing was done. "
            f"Check the credential{where}: is it valid, and is it allowed to do this?"
        )
    else:
        answered = "the vendor refused" if status is None else f"the vendor answered {status}"
        sentence = f"{answered}{said}; nothing was done, and the same request will fail again."
    return call.error(FailureKind.PERMANENT, sentence, status=status)


def from_status(call: Call, status: int, message: str, retry_after: float | None) -> VendorError:
    """What an HTTP status that is not the expected success means.

    503 with Retry-After is a vendor that turns requests away at the door, like 429; every other
    5xx may come from behind the point where the work was done, and so does a success of another
    number than documented.
    """
    turned_away = status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is not None
    if turned_away or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
        return busy(call, status, message, retry_after)
    if status < HTTPStatus.MULTIPLE_CHOICES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return no_answer(call, f"the vendor answered {status}{_said(call, message)}", status)
    return refused(call, status, message)


def vendor_message(body: object) -> str:
    """The message in an error body: {"message"}, {"error"}, {"errors": […]}, or nothing."""
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return ""
    said = [body.get(key) for key in ("message", "error")]
    listed = body.get("errors")
    said.extend(listed if isinstance(listed, list) else [listed])
    return "; ".join(dict.fromkeys(part for part in said if isinstance(part, str) and part))


@contextmanager
def reading(call: Call) -> Iterator[None]:
    """Turns the stumbles of reading an answer of another shape into "no usable answer"."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        what = f"the answer has another shape than documented: {type(problem).__name__} {problem}"
        raise no_answer(call, what) from problem


def _said(call: Call, message: str) -> str:
    quoted = quote(call, message)
    return f' ("{quoted}")' if quoted else ""
