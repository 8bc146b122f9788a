"""Objects of a bucket in memory, each with an ETag that is new with every write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from service.ports.bucket import NEW, Contents, Listed, Place, Stored
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes


@dataclass(slots=True)
class FakeBuckets:
    """One bucket, whatever the place. `before_write` is called right before the ETag is compared,
    as a person in between would act. `versions` are all that were put while it is `versioned`."""

    clock: FakeClock
    objects: dict[str, Stored] = field(default_factory=dict)
    writes: Writes = field(default_factory=Writes)
    before_write: Callable[[], None] = lambda: None
    versioned: bool = False
    versions: dict[tuple[str, str], Stored] = field(default_factory=dict)
    _number: int = 0

    def store(self, key: str, contents: Contents, *, public: bool = False) -> None:
        self._number += 1
        etag = f'"{self._number}"'
        version = f"v{self._number}" if self.versioned else ""
        stored = Stored(etag, len(contents.body), contents, public, version)
        self.objects[key] = stored
        if version:
            self.versions[key, version] = stored

    def body(self, key: str) -> str:
        contents = self.objects[key].contents
        assert contents is not None
        return contents.body.decode()

    def look(self, place: Place, key: str, most: int, version: str = "") -> Stored | None:
        self.writes.land(self.clock.time())
        found = self.versions.get((key, version)) if version else self.objects.get(key)
        if found is None or found.size <= most:
            return found
        return replace(found, contents=None)

    def listed(self, place: Place, prefix: str, most: int) -> tuple[Listed, ...]:
        self.writes.land(self.clock.time())
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        return tuple(Listed(key, self.objects[key].size) for key in keys[:most])

    def put(self, place: Place, key: str, contents: Contents, etag: str, *, public: bool) -> bool:
        def effect() -> bool:
            self.before_write()
            present = self.objects.get(key)
            if (present.etag if present else NEW) != etag:
                return False
            self.store(key, contents, public=public)
            return True

        return self.writes.send("put", effect, self.clock.time())
