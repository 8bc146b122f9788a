"""Text assets and their copies in gzip: which are worth it, and how one becomes the other. Pure."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from service.catalogue.bucket.contents import NO_OBJECT, digest_of
from service.ports.bucket import Contents, Listed, Stored

TEXTS: Mapping[str, str] = {
    "text/html": ".html .htm",
    "text/css": ".css",
    "text/javascript": ".js .mjs",
    "application/javascript": ".js .mjs",
    "application/json": ".json",
    "image/svg+xml": ".svg",
    "text/plain": ".txt",
    "text/xml": ".xml",
    "application/xml": ".xml",
}
"""The content types of text, and how keys of such objects end. A list shows no content type."""
LEAST_BYTES = 1_400
"""What is smaller fits into one packet of the network, and is not sent sooner."""
MOST_BYTES = 2 * 2**20
"""The largest asset. A look has ten seconds for all of its bytes."""
MOST_LISTED = 1_000
"""One page of a list."""
MOST_LOOKED_AT = 50
"""Objects that one plan reads."""
MOST_BYTES_AT_ONCE = 16 * 2**20
"""Bytes that one plan reads, and holds one object at a time."""
LESS_THAN = 0.9
"""Of the original's bytes: a copy that saves less is not worth its version."""
UNVERSIONED = "without a version"
"""Why an asset is left whose original would not be kept."""
PLAIN, PACKED = "plain", "packed"
ENCODING = "ContentEncoding"
_GZIP = "gzip"
_WITH_HEADER = 31
"""zlib's way to say: 32 KB of window, in gzip's format."""
_SUFFIXES = frozenset(each for suffixes in TEXTS.values() for each in suffixes.split())


def worth_a_look(
    listed: Iterable[Listed], named: Collection[str]
) -> tuple[tuple[Listed, ...], tuple[Listed, ...]]:
    """Which of a list are read, the largest first, and which would be too, within the bounds.

    `named` are the keys that are left to `put_object`.
    """
    fit = [
        each
        for each in sorted(listed, key=lambda each: (-each.size, each.key))
        if each.key not in named
        and PurePosixPath(each.key).suffix.lower() in _SUFFIXES
        and LEAST_BYTES <= each.size <= MOST_BYTES
    ]
    chosen: list[Listed] = []
    read = 0
    for each in fit:
        if len(chosen) < MOST_LOOKED_AT and read + each.size <= MOST_BYTES_AT_ONCE:
            chosen.append(each)
            read += each.size
    return tuple(chosen), tuple(each for each in fit if each not in chosen)


def packed(contents: Contents) -> Contents:
    """The same in gzip, and said so. All other headers and the metadata stay."""
    body = gzip.compress(contents.body, mtime=0)
    return replace(contents, body=body, headers={**contents.headers, ENCODING: _GZIP})


def unpacked(contents: Contents) -> Contents | None:
    """The original of such a copy; None where it is none, or would be larger than `MOST_BYTES`."""
    if contents.headers.get(ENCODING) != _GZIP:
        return None
    unpacking = zlib.decompressobj(_WITH_HEADER)
    try:
        body = unpacking.decompress(contents.body, MOST_BYTES + 1)
    except zlib.error:
        return None
    if len(body) > MOST_BYTES or not unpacking.eof or unpacking.unused_data:
        return None
    headers = {name: text for name, text in contents.headers.items() if name != ENCODING}
    return replace(contents, body=body, headers=headers)


def form_of(stored: Stored | None) -> str:
    """Whether it is plain or packed, and the digest of the original.

    Two copies of one original have one form, whichever version of gzip has made them.
    """
    if stored is None or stored.contents is None:
        return NO_OBJECT if stored is None else f"{PLAIN} {stored.etag}"
    original = unpacked(stored.contents)
    if original is not None:
        return f"{PACKED} {digest_of(original)}"
    return f"{PLAIN} {digest_of(stored.contents)}"


def judged(key: str, stored: Stored | None) -> dict[str, Any] | str:
    """What a plan names of an object that is to be compressed, or why it is left."""
    if stored is None or stored.contents is None:
        return "gone or grown since the list"
    if unfit := _unfit(stored, stored.contents.headers):
        return unfit
    small = packed(stored.contents)
    if len(small.body) >= LESS_THAN * stored.size:
        return "that gzip does not bring below 90 %"
    digest = digest_of(stored.contents)
    return {
        "key": key,
        "before": f"{PLAIN} {digest}",
        "after": f"{PACKED} {digest}",
        "version": stored.version,
        "public": stored.public,
        "size": stored.size,
        "packed": len(small.body),
    }


def _unfit(stored: Stored, headers: Mapping[str, str]) -> str:
    """Why it is left, whatever gzip would make of it; empty where nothing is in the way."""
    if headers.get(ENCODING):
        return "compressed already"
    if headers.get("ContentType", "").partition(";")[0].strip().lower() not in TEXTS:
        return "with another content type than text"
    if stored.more:
        return "with properties that a put would lose (Expires, tags, grants)"
    return "" if stored.version else UNVERSIONED
