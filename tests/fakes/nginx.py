"""nginx in memory: a file, what is loaded of it, and its servers."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.catalogue.nginx.digest import digest_on_disk, made_by_runbookd
from service.domain.errors import FailureKind
from service.ports.nginx import Place, Seen
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, vendor_error


@dataclass(slots=True)
class FakeNginx:
    """One nginx with one file. `refuses` is what it says against each new file, `stuck` whether
    its reloads have no effect, and `silent` the numbers of servers that do not answer."""

    clock: FakeClock
    text: str | None = None
    loaded: str | None = None
    running: bool = True
    included: bool = True
    refuses: str = ""
    stuck: bool = False
    silent: set[int] = field(default_factory=set)
    kept_texts: dict[str, str] = field(default_factory=dict)
    writes: Writes = field(default_factory=Writes)

    def look(self, place: Place) -> Seen:
        self.writes.land(self.clock.time())
        in_force = made_by_runbookd(self.loaded or "") or ""
        return Seen(self.text, in_force if self.running else "", self.running, self.included)

    def rehearse(self, place: Place) -> None:
        if self.refuses:
            raise vendor_error(FailureKind.PERMANENT, self.refuses)

    def write(self, place: Place, text: str | None) -> None:
        self.writes.send("write", lambda: self._put(text), self.clock.time())

    def kept(self, place: Place, digest: str) -> str | None:
        return self.kept_texts.get(digest)

    def reload(self, place: Place) -> None:
        self.writes.send("reload", self._load, self.clock.time())

    def ask_server(self, place: Place, number: int, digest: str) -> int:
        if self.look(place).in_force != digest:
            raise vendor_error(FailureKind.TEMPORARY, "nginx does not work by it.")
        return 502 if number in self.silent else 200

    def _put(self, text: str | None) -> None:
        if self.refuses and text is not None:
            raise vendor_error(FailureKind.PERMANENT, f"nginx refuses the new file: {self.refuses}")
        if self.text is not None:
            self.kept_texts[digest_on_disk(self.text)] = self.text
        self.text = text

    def _load(self) -> None:
        if not self.running:
            raise vendor_error(FailureKind.PERMANENT, "invalid PID number")
        if not self.stuck:
            self.loaded = self.text
