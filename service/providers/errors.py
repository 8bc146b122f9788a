"""What a vendor's answer, or a missing answer, means. All providers decide it here.

The question is always whether the vendor may have acted. After a refused connection it has not.
After a write whose connection broke it may have, and only a look at the vendor can tell. A
`repeatable` call has one effect however often it is sent: a read, a PagerDuty event, an edit of a
message. For such a call it does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from service.domain.durations import lasted
from service.domain.errors import FailureKind, VendorError, shown_vendor
from service.domain.redaction import shown_addresses
from service.domain.text import cut
from service.providers.scopes import Needed

LONGEST_QUOTE = 300
"""Characters of a vendor's own message that a sentence quotes. More would hide the point."""
_ENCRYPTED = re.compile(r"EV\[[^\]\s]*\]?")
_MASK = "[hidden]"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a vendor, as its errors describe it.

    `operation` is a verb and its object ("resize droplet 101"). `setting` is the name of the
    setting with the credential, for the sentence after a 401. `secret` is the credential itself, so
    that no sentence quotes it. `needs` is what the token must be allowed.
    """

    vendor: str
    operation: str
    repeatable: bool
    setting: str = ""
    secret: str = field(default="", repr=False)
    needs: Needed | None = None

    @property
    def who(self) -> str:
        """The vendor's name in sentences."""
        return shown_vendor(self.vendor)

    def error(
        self,
        kind: FailureKind,
        sentence: str,
        *,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> VendorError:
        """An error of this call."""
        return VendorError(self.vendor, self.operation, kind, sentence, retry_after, status)


def quote(call: Call, text: str) -> str:
    """A vendor's own words in one line, without secrets, at most `LONGEST_QUOTE` characters."""
    line = " ".join(shown_addresses(_ENCRYPTED.sub(_MASK, text)).split())
    if call.secret:
        line = line.replace(call.secret, _MASK)
    return cut(line, LONGEST_QUOTE)


def never_sent(call: Call, reason: object) -> VendorError:
    """The error for a request that was never sent, because no connection was made."""
    why = quote(call, in_words(reason))
    sentence = f"{call.who} could not be reached to {call.operation}: {why}"
    if call.repeatable:
        return call.error(FailureKind.TEMPORARY, f"{sentence}.")
    advice = "nothing was sent. Check the network and the vendor's status page."
    return call.error(FailureKind.TEMPORARY, f"{sentence}; {advice}")


def no_answer(call: Call, reason: object) -> VendorError:
    """The error for a request that was sent and got no usable answer."""
    why = quote(call, in_words(reason))
    return _in_doubt(
        call, f"No usable answer came from {call.who} to the request to {call.operation}: {why}."
    )


def broke(call: Call, status: int, message: str) -> VendorError:
    """The error for a status that does not say whether the vendor has acted."""
    return _in_doubt(call, f"{_answered(call, status, message)}.", status)


def _in_doubt(call: Call, sentence: str, status: int | None = None) -> VendorError:
    """TEMPORARY for a repeatable call. UNKNOWN for a write: only a look at the vendor can tell."""
    kind = FailureKind.TEMPORARY if call.repeatable else FailureKind.UNKNOWN
    return call.error(kind, sentence, status=status)


def busy(call: Call, status: int, message: str, retry_after: float | None) -> VendorError:
    """The error when the vendor took nothing and asks for a later try."""
    wait = "" if retry_after is None else f", and asks to wait {lasted(retry_after)}"
    sentence = f"{_answered(call, status, message)}{wait}."
    return call.error(FailureKind.TEMPORARY, sentence, retry_after=retry_after, status=status)


def refused(call: Call, status: int | None, message: str) -> VendorError:
    """The error when the vendor will refuse the same request every time."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return refused_credential(call, status, message)
    sentence = f"{_answered(call, status, message)}. The same request will be refused again."
    return call.error(FailureKind.PERMANENT, sentence, status=status)


def refused_credential(call: Call, status: int | None, message: str) -> VendorError:
    """The error when the credential is unknown, or is not allowed to do this."""
    where = f" in the setting {call.setting}" if call.setting else ""
    said = _answered(call, status, message)
    if status == HTTPStatus.FORBIDDEN and call.needs is not None:
        scopes = " and ".join(call.needs.scopes)
        sentence = f"{said}. To {call.needs.what}, the token{where} needs the scope {scopes}."
    else:
        sentence = (
            f"{said}. Check the credential{where}: is it valid, and is it allowed to do this?"
        )
    return call.error(FailureKind.PERMANENT, sentence, status=status)


def no_url(call: Call, problem: Exception) -> VendorError:
    """The error when the address in the settings is no URL."""
    sentence = f"The address of {call.who} is no URL: {in_words(problem)}."
    return call.error(FailureKind.PERMANENT, sentence)


def in_words(reason: object) -> str:
    """What went wrong with a connection, in words for people: no Python types and no reprs.

    Libraries wrap the operating system's words in several exceptions of their own. So this takes
    the innermost exception that has words for people.
    """
    if not isinstance(reason, BaseException):
        return str(reason)
    chain = list(_within(reason))
    if any("timeout" in type(one).__name__.lower() for one in chain):
        return "no answer in time"
    for one in reversed(chain):
        words = getattr(one, "strerror", None) or str(one)
        if words and not _PYTHON.search(words):
            return str(words).rstrip(".")
    return "the connection failed"


_PYTHON = re.compile(r"0x[0-9a-f]{6,}|^\(|Error\(|Exception\(|\[Errno|^[<\[{]")
"""Signs that a text is a repr of Python."""


def _within(problem: BaseException) -> Iterator[BaseException]:
    """An exception and all those inside it, each once, the innermost last."""
    found: list[BaseException] = []
    waiting = [problem]
    while waiting:
        one = waiting.pop(0)
        if one in found:
            continue
        found.append(one)
        inner = [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
        waiting += [each for each in inner if isinstance(each, BaseException)]
    yield from found


def from_status(call: Call, status: int, message: str, retry_after: float | None) -> VendorError:
    """The error for an HTTP status that is not the documented success.

    A 503 with Retry-After means, like a 429, that the vendor took nothing. Every other 5xx may be
    sent after the vendor has done the work. So may a success with another number than documented.
    """
    turned_away = status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is not None
    if turned_away or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
        return busy(call, status, message, retry_after)
    if status < HTTPStatus.MULTIPLE_CHOICES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return broke(call, status, message)
    return refused(call, status, message)


def vendor_message(body: object) -> str:
    """The message in an error body ({"message"}, {"error"}, {"errors": […]}). Empty if it has
    none. Each of `errors` may be a text, or have a message and a code, as Cloudflare's have."""
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return ""
    said = [body.get(key) for key in ("message", "error")]
    listed = body.get("errors")
    said.extend(map(_listed, listed) if isinstance(listed, list) else [listed])
    return "; ".join(dict.fromkeys(part for part in said if isinstance(part, str) and part))


def _listed(one: object) -> object:
    """The words of one of several errors, with its code where it has both."""
    if not isinstance(one, Mapping):
        return one
    words, code = one.get("message"), one.get("code")
    return f"{words} ({code})" if isinstance(words, str) and code is not None else words


@contextmanager
def reading(call: Call) -> Iterator[None]:
    """Turn the errors of reading an answer of an unexpected shape into "no usable answer".

    Raises:
        VendorError: the code inside met such an answer.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        lacks = f", without {problem.args[0]}" if isinstance(problem, KeyError) else ""
        raise no_answer(call, f"the answer has another shape than documented{lacks}") from problem


def _answered(call: Call, status: int | None, message: str) -> str:
    """A sentence without its full stop: `DigitalOcean answered 503 to the request to …`."""
    quoted = quote(call, message).rstrip(".")
    said = f': "{quoted}"' if quoted else ""
    # Slack refuses with status 200, which would only confuse people.
    said_so = status is None or status == HTTPStatus.OK
    did = "refused" if said_so else f"answered {status} to"
    return f"{call.who} {did} the request to {call.operation}{said}"
