"""Objects in a bucket that speaks S3: what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

NEW = ""
"""Stands for the ETag of an object that is not there."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket: the address of its store, the region that requests are signed for, its name."""

    endpoint: str
    region: str
    bucket: str


def spaces(region: str) -> str:
    """The address of DigitalOcean's store in a region."""
    return f"https://{region}.digitaloceanspaces.com"


@dataclass(frozen=True, slots=True)
class Contents:
    """What is put: the bytes, the headers that it is served with, and the owner's metadata.

    `headers` has those of `HEADERS` that are set, by their names there.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


HEADERS = (
    "ContentType",
    "CacheControl",
    "ContentEncoding",
    "ContentDisposition",
    "ContentLanguage",
)
"""The headers that an object keeps, as the SDK writes them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is now. `contents` is None where its `size`, in bytes, is over the asked
    bound. `public` is whether everybody may read it by its own access list. `version` is its id
    where the bucket keeps former versions, else empty. `more` names what else the object has and
    a put would lose, such as Expires."""

    etag: str
    size: int
    contents: Contents | None
    public: bool
    version: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a list shows it: its key and its size in bytes."""

    key: str
    size: int


class Buckets(Protocol):
    """The buckets that the keys in the settings open."""

    def look(self, place: Place, key: str, most: int, version: str = "") -> Stored | None:
        """The object, read whole up to `most` bytes; None where there is none. With a `version`,
        that one."""
        ...

    def listed(self, place: Place, prefix: str, most: int) -> tuple[Listed, ...]:
        """The objects whose keys begin with the prefix: the first `most` by key, 1,000 at most."""
        ...

    def put(self, place: Place, key: str, contents: Contents, etag: str, *, public: bool) -> bool:
        """Put it in the place of the object with that ETag; with NEW, where there is none.

        False, and nothing is put, where another object is there at that moment.
        """
        ...
