"""The bucket of the sandbox: its objects, with their former versions where it keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

BUCKET = "quizmentor"
"""The name of the one bucket that there is, as the shipped rules have it."""
UNVERSIONED = "null"
"""The version of an object that was put while its bucket kept no versions, as in S3."""
MOST_VERSIONS = 100
"""Former versions of one object that are kept; the sandbox's memory is finite."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object. `headers` are those that it is served with, `metadata` its
    owner's, both by lower-case names. `version` is its id, `at` when it was put (seconds, the
    epoch)."""

    body: bytes
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    public: bool
    version: str
    at: float

    @property
    def etag(self) -> str:
        """The MD5 of the bytes, in quotes, as S3 makes it of an object that is put whole."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class Store:
    """The objects by key, each with its versions, the newest last."""

    versioned: bool = False
    objects: dict[str, list[StoredObject]] = field(default_factory=dict)
    _puts: int = 0

    def find(self, key: str, version: str = "") -> StoredObject | None:
        """An object as it is now, or as it was in a version."""
        found = self.objects.get(key, [])
        if not version:
            return found[-1] if found else None
        return next((each for each in found if each.version == version), None)

    def put(
        self,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        metadata: Mapping[str, str],
        *,
        public: bool,
        now: float,
    ) -> StoredObject:
        """Put an object. Where versions are kept, the one before stays as a version."""
        self._puts += 1
        version = f"5eed-{self._puts:08d}" if self.versioned else UNVERSIONED
        made = StoredObject(body, dict(headers), dict(metadata), public, version, now)
        # S3 replaces the object without a version, and keeps those that have one.
        kept = [each for each in self.objects.get(key, []) if each.version != version]
        self.objects[key] = [*kept, made][-MOST_VERSIONS:]
        return made
