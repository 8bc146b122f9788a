"""What a purge may name, what of it one request takes, and what the probe can tell of it. Pure.

The limits are Cloudflare's own (docs/vendors.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from service.catalogue.shapes import Shape

EVERYTHING = "everything"
_SINGULAR = {"prefixes": "prefix", "tags": "tag", "hosts": "host", "files": "file"}
LISTS = tuple(_SINGULAR)
PER_REQUEST = 100
"""Entries of one request, on every plan."""
MOST_ENTRIES = 500
"""Entries of one list. Four such lists are 20 requests, and every plan takes 25 at once."""
LONGEST_TAG = 1024
"""Characters of a cache tag."""
_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_SHOWN = 3
"""Entries that a sentence names; the rest is a number."""

Prefix = Annotated[
    str, Field(pattern=rf"^{_HOST}/[^\s?#]*$", description="a host and a path, without https://")
]
Host = Annotated[str, Field(pattern=rf"^{_HOST}$", description="the name of a host")]
File = Annotated[
    str, Field(pattern=rf"^https?://{_HOST}/[^\s#]*$", description="a whole address, with https://")
]
Tag = Annotated[
    str,
    Field(
        pattern=r"^[!-+\--~]+$",
        max_length=LONGEST_TAG,
        description="a tag without spaces and commas",
    ),
]


class PurgeOptions(Shape):
    """What is purged: by one list or several, or everything."""

    prefixes: list[Prefix] = Field(
        default=[],
        max_length=MOST_ENTRIES,
        description="a list of hosts with a path, such as [quizmentor.app/assets/]",
    )
    tags: list[Tag] = Field(
        default=[], max_length=MOST_ENTRIES, description="a list of cache tags, such as [questions]"
    )
    hosts: list[Host] = Field(
        default=[], max_length=MOST_ENTRIES, description="a list of hosts, such as [quizmentor.app]"
    )
    files: list[File] = Field(
        default=[],
        max_length=MOST_ENTRIES,
        description="a list of whole addresses, such as [https://quizmentor.app/logo.png]",
    )
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """One request: `by` is one of LISTS, or everything. `probed` is whether the probe is in it."""

    by: str
    entries: tuple[str, ...]
    probed: bool

    def to_json(self) -> dict[str, Any]:
        """For the plan."""
        return {"by": self.by, "entries": list(self.entries), "probed": self.probed}


def refusals(options: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the options of a purge as a whole, in sentences."""
    named = [each for each in LISTS if options[each]]
    if not named and not options[EVERYTHING]:
        yield (
            f"it names nothing to purge. Give {', '.join(LISTS)}, or everything: true, which makes "
            "the origin answer for the whole site again."
        )
    if named and options[EVERYTHING]:
        yield f"everything: true already covers {' and '.join(named)}. Remove one of them."


def batches(options: Mapping[str, Any], probe: str) -> list[Batch]:
    """The requests of a purge, each as large as Cloudflare takes one. An entry that is named twice
    is sent once."""
    if options[EVERYTHING]:
        return [Batch(EVERYTHING, (), probed=bool(probe))]
    found = []
    for by in LISTS:
        entries = tuple(dict.fromkeys(options[by]))
        for first in range(0, len(entries), PER_REQUEST):
            some = entries[first : first + PER_REQUEST]
            found.append(Batch(by, some, probed=_covers(by, some, probe)))
    return found


def _covers(by: str, entries: Sequence[str], probe: str) -> bool:
    """Whether a purge of these surely takes the probe's copy. Of tags nobody outside can tell."""
    if not probe:
        return False
    parts = urlsplit(probe)
    host, path = parts.hostname or "", parts.path or "/"
    if by == "prefixes":
        return any(f"{host}{path}".startswith(_prefix(each)) for each in entries)
    if by == "hosts":
        return host in {each.lower() for each in entries}
    return by == "files" and probe in entries


def _prefix(entry: str) -> str:
    host, slash, path = entry.partition("/")
    return f"{host.lower()}{slash}{path}"


def outside(options: Mapping[str, Any], zone: str) -> list[str]:
    """The entries whose host is not of the zone with this domain."""
    hosts = [
        *((each, each.partition("/")[0]) for each in options["prefixes"]),
        *((each, each) for each in options["hosts"]),
        *((each, urlsplit(each).hostname or "") for each in options["files"]),
    ]
    return [each for each, host in hosts if not _within(host.lower(), zone)]


def _within(host: str, zone: str) -> bool:
    return host == zone or host.endswith(f".{zone}")


def in_words(options: Mapping[str, Any]) -> str:
    """What is purged, for people: `2 prefixes (a.example/x, a.example/y) and 1 tag (news)`."""
    if options[EVERYTHING]:
        return EVERYTHING
    return " and ".join(_listed(by, options[by]) for by in LISTS if options[by])


def _listed(by: str, entries: Sequence[str]) -> str:
    entries = list(dict.fromkeys(entries))
    rest = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return f"{counted(by, len(entries))} ({', '.join(entries[:_SHOWN])}{rest})"


def counted(by: str, count: int) -> str:
    """So many entries of a list in words: `1 prefix`, `2 tags`; or everything."""
    if by == EVERYTHING:
        return EVERYTHING
    return f"{count} {_SINGULAR[by] if count == 1 else by}"
