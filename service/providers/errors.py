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

from service.domain.durations import lasted
from service.domain.errors import FailureKind, VendorError, shown_vendor
from service.domain.redaction import shown_addresses
from service.domain.text import cut
from service.providers.scopes import Needed

LONGEST_QUOTE = 300
"""Characters of a vendor's own message that a sentence repeats; more hides the point of it."""
_ENCRYPTED = re.compile(r"EV\[[^\]\s]*\]?")
_MASK = "[hidden]"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a vendor, as its errors name it.

    `operation` is a verb and its object ("resize droplet 101"). `setting` is the name of the
    setting that holds the credential, for the sentence after a 401. `secret` is the credential
    itself, known here only so that no sentence repeats it. `needs` is what the token must be
    allowed.
    """

    vendor: str
    operation: str
    repeatable: bool
    setting: str = ""
    secret: str = field(default="", repr=False)
    needs: Needed | None = None

    @property
    def who(self) -> str:
        """The vendor, as sentences name it."""
        return shown_vendor(self.vendor)

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
    return cut(line, LONGEST_QUOTE)


def never_sent(call: Call, reason: object) -> VendorError:
    """No connection: the vendor saw nothing of it."""
    why = quote(call, in_words(reason))
    sentence = f"{call.who} could not be reached to {call.operation}: {why}"
    if call.repeatable:
        return call.error(FailureKind.TEMPORARY, f"{sentence}.")
    advice = "nothing was sent. Check the network and the vendor's status page."
    return call.error(FailureKind.TEMPORARY, f"{sentence}; {advice}")


def no_answer(call: Call, reason: object) -> VendorError:
    """The request went out, and no usable answer came back."""
    why = quote(call, in_words(reason))
    return _in_doubt(
        call, f"No usable answer came from {call.who} to the request to {call.operation}: {why}."
    )


def broke(call: Call, status: int, message: str) -> VendorError:
    """The vendor answered with a status that does not say whether it has acted."""
    return _in_doubt(call, f"{_answered(call, status, message)}.", status)


def _in_doubt(call: Call, sentence: str, status: int | None = None) -> VendorError:
    """A read may simply be asked again; after a write only a look at the vendor tells."""
    kind = FailureKind.TEMPORARY if call.repeatable else FailureKind.UNKNOWN
    return call.error(kind, sentence, status=status)


def busy(call: Call, status: int, message: str, retry_after: float | None) -> VendorError:
    """The vendor took nothing now and asks for a later try."""
    wait = "" if retry_after is None else f", and asks to wait {lasted(retry_after)}"
    sentence = f"{_answered(call, status, message)}{wait}."
    return call.error(FailureKind.TEMPORARY, sentence, retry_after=retry_after, status=status)


def refused(call: Call, status: int | None, message: str) -> VendorError:
    """The vendor will answer the same request in the same way for ever."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return refused_credential(call, status, message)
    sentence = f"{_answered(call, status, message)}. The same request will be refused again."
    return call.error(FailureKind.PERMANENT, sentence, status=status)


def refused_credential(call: Call, status: int | None, message: str) -> VendorError:
    """The vendor does not know the credential, or does not let it do this."""
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
    """The address in the settings is none."""
    sentence = f"The address of {call.who} is no URL: {in_words(problem)}."
    return call.error(FailureKind.PERMANENT, sentence)


def in_words(reason: object) -> str:
    """What went wrong below a vendor's API, without anything that only Python understands.

    Libraries wrap the operating system's words in exceptions of their own, several deep, so the
    innermost that has words of its own is told.
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
"""Signs of a repr."""


def _within(problem: BaseException) -> Iterator[BaseException]:
    """An exception and those inside of it, the innermost last; each once."""
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
    """What an HTTP status that is not the expected success means.

    503 with Retry-After is a vendor that turns requests away at the door, like 429; every other
    5xx may come from behind the point where the work was done, and so does a success of another
    number than documented.
    """
    turned_away = status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is not None
    if turned_away or status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT):
        return busy(call, status, message, retry_after)
    if status < HTTPStatus.MULTIPLE_CHOICES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return broke(call, status, message)
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
        lacks = f", without {problem.args[0]}" if isinstance(problem, KeyError) else ""
        raise no_answer(call, f"the answer has another shape than documented{lacks}") from problem


def _answered(call: Call, status: int | None, message: str) -> str:
    """Who answered what, without a full stop: `DigitalOcean answered 503 to the request to …`."""
    quoted = quote(call, message).rstrip(".")
    said = f': "{quoted}"' if quoted else ""
    # Slack refuses with 200, which says nothing to anybody.
    said_so = status is None or status == HTTPStatus.OK
    did = "refused" if said_so else f"answered {status} to"
    return f"{call.who} {did} the request to {call.operation}{said}"
