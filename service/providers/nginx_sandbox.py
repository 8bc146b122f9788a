"""The sandbox's machine with nginx, in place of this one (`service.ports.nginx.Nginx`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from service.catalogue.nginx.digest import digest_on_disk
from service.domain.errors import FailureKind
from service.ports.nginx import Place, Seen
from service.providers.errors import Call, reading
from service.providers.http import ask, make_http_client, send

VENDOR = "nginx"


class SandboxNginx:
    """nginx in the sandbox. Safe for threads."""

    def __init__(self, *, base_url: str) -> None:
        self._http: httpx.Client = make_http_client(base_url)

    def look(self, place: Place) -> Seen:
        """The file, and what nginx does. The sandbox's main file includes every file."""
        call = Call(VENDOR, f"read {place.file}", repeatable=True)
        found = self._ask(call, "/file", {"path": place.file})
        with reading(call):
            name, _, digest = str(found["told"]).partition(" ")
            in_force = digest if name == place.name else ""
            return Seen(found["text"], in_force, bool(found["running"]), included=True)

    def rehearse(self, place: Place) -> None:
        """Whether the sandbox answers."""
        self.look(place)

    def write(self, place: Place, text: str | None) -> None:
        """Test, keep the old one, and replace it, in one call."""
        old = self.look(place).text
        call = Call(VENDOR, f"write {place.file}", repeatable=False)
        keep_as = None if old is None else digest_on_disk(old)
        body = {"path": place.file, "text": text, "keep_as": keep_as}
        send(self._http, call, "PUT", "/file", body=body)

    def kept(self, place: Place, digest: str) -> str | None:
        """What `write` has kept."""
        call = Call(VENDOR, f"read the kept {digest} of {place.file}", repeatable=True)
        found = self._ask(call, "/kept", {"path": place.file, "as": digest})
        with reading(call):
            text: str | None = found["text"]
            return text

    def reload(self, place: Place) -> None:
        """Have it read its files."""
        send(self._http, Call(VENDOR, "reload", repeatable=False), "POST", "/reload")

    def ask_server(self, place: Place, number: int, digest: str) -> int:
        """What a server answers through it."""
        call = Call(VENDOR, f"ask server {number}", repeatable=True)
        found = self._ask(call, f"/servers/{number}", {"path": place.file})
        with reading(call):
            told, status = str(found["told"]), int(found["status"])
        if told != f"{place.name} {digest}":
            sentence = f"Server {number} was not asked: nginx does not work by {digest} there."
            raise call.error(FailureKind.TEMPORARY, sentence)
        return status

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, call: Call, address: str, params: Mapping[str, str]) -> Any:
        return ask(self._http, call, "GET", address, params=params)
