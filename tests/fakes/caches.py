"""The application's cache in memory: one server with hashes, numbers and entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.domain.errors import FailureKind
from service.ports.cache import CacheServer, Walked
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, vendor_error


@dataclass(slots=True)
class FakeCache:
    """One server. `keys` maps each key to its value; a hash is a mapping.

    `before_write` is called right before a write is compared, as a person in between would act.
    """

    clock: FakeClock
    keys: dict[str, str | dict[str, str]] = field(default_factory=dict)
    is_: CacheServer = field(
        default_factory=lambda: CacheServer("run-1", "7.0.15", "volatile-lru", True, False, 0)
    )
    writes: Writes = field(default_factory=Writes)
    before_write: Callable[[], None] = lambda: None
    walked: int = 0
    _places: dict[str, int] = field(default_factory=dict)

    def server(self) -> CacheServer:
        self.writes.land(self.clock.time())
        return replace(self.is_, keys=len(self.keys))

    def restart(self) -> None:
        """The same keys, in another process."""
        self.is_ = replace(self.is_, run_id=f"{self.is_.run_id}+")

    def settings(self, key: str, names: Sequence[str]) -> Mapping[str, str]:
        self.writes.land(self.clock.time())
        return {name: text for name, text in self._hash(key).items() if name in names}

    def replace_settings(self, key: str, was: Mapping[str, str], to: Mapping[str, str]) -> bool:
        self._require_writable()
        return self.writes.send("settings", lambda: self._set(key, was, to), self.clock.time())

    def _set(self, key: str, was: Mapping[str, str], to: Mapping[str, str]) -> bool:
        self.before_write()
        present = self._hash(key)
        if {name: present[name] for name in {*was, *to} if name in present} != dict(was):
            return False
        rest = {name: text for name, text in present.items() if name not in was}
        self.keys[key] = {**rest, **to}
        if not self.keys[key]:
            del self.keys[key]
        return True

    def generation(self, key: str) -> int:
        self.writes.land(self.clock.time())
        return int(str(self.keys.get(key, "0")))

    def replace_generation(self, key: str, was: int, to: int) -> bool:
        self._require_writable()
        return self.writes.send("generation", lambda: self._count(key, was, to), self.clock.time())

    def _count(self, key: str, was: int, to: int) -> bool:
        self.before_write()
        if int(str(self.keys.get(key, "0"))) != was:
            return False
        self.keys[key] = str(to)
        return True

    def walk(self, prefix: str, cursor: int, count: int) -> Walked:
        """By a number that each key has, so that what is removed moves no other key."""
        self.writes.land(self.clock.time())
        self.walked += 1
        places = sorted(
            (self._places.setdefault(key, len(self._places) + 2), key) for key in self.keys
        )
        piece = [each for each in places if each[0] > cursor][:count]
        over = len(piece) < count or piece[-1] == places[-1]
        found = tuple(key.encode() for _, key in piece if key.startswith(prefix))
        return Walked(0 if over else piece[-1][0], found)

    def unlink(self, keys: Sequence[bytes]) -> int:
        self._require_writable()
        return self.writes.send("unlink", lambda: self._remove(keys), self.clock.time())

    def _remove(self, keys: Sequence[bytes]) -> int:
        there = [each.decode() for each in keys if each.decode() in self.keys]
        for key in there:
            del self.keys[key]
        return len(there)

    def _hash(self, key: str) -> dict[str, str]:
        found = self.keys.get(key, {})
        return dict(found) if isinstance(found, dict) else {}

    def _require_writable(self) -> None:
        if not self.is_.writable:
            raise vendor_error(
                FailureKind.PERMANENT, "You can't write against a read only replica."
            )
