"""Objects of a bucket in memory, each with an ETag that is new with every write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from service.ports.bucket import NEW, Contents, Place, Stored
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes


@dataclass(slots=True)
class FakeBuckets:
    """One bucket, whatever the place. `before_write` is called right before the ETag is compared,
    as a person in between would act."""

    clock: FakeClock
    objects: dict[str, Stored] = field(default_factory=dict)
    writes: Writes = field(default_factory=Writes)
    before_write: Callable[[], None] = lambda: None
    _number: int = 0

    def store(self, key: str, contents: Contents, *, public: bool = False) -> None:
        self._number += 1
        etag = f'"{self._number}"'
        self.objects[key] = Stored(etag, len(contents.body), contents, public)

    def body(self, key: str) -> str:
        contents = self.objects[key].contents
        assert contents is not None
        return contents.body.decode()

    def look(self, place: Place, key: str, most: int) -> Stored | None:
        self.writes.land(self.clock.time())
        found = self.objects.get(key)
        if found is None or found.size <= most:
            return found
        return Stored(found.etag, found.size, None, found.public)

    def put(self, place: Place, key: str, contents: Contents, etag: str, *, public: bool) -> bool:
        def effect() -> bool:
            self.before_write()
            present = self.objects.get(key)
            if (present.etag if present else NEW) != etag:
                return False
            self.store(key, contents, public=public)
            return True

        return self.writes.send("put", effect, self.clock.time())
