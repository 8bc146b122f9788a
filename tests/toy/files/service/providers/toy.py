"""Balloons over HTTP."""

from __future__ import annotations

import httpx

from service.providers.errors import Call, reading
from service.providers.http import ask, make_http_client, send

ENDPOINT = "https://balloons.invalid"


class HttpBalloons:
    """The balloon vendor, as `service.ports.toy.Balloons`."""

    def __init__(self, *, token: str, base_url: str = ENDPOINT) -> None:
        self._token = token
        self._http: httpx.Client = make_http_client(base_url, token=token)

    def size(self, toy: str) -> str:
        """The size now."""
        call = Call("toy", f"read balloon {toy}", True, "TOY_TOKEN", self._token)
        found = ask(self._http, call, "GET", f"/balloons/{toy}")
        with reading(call):
            return str(found["size"])

    def inflate(self, toy: str, size: str) -> None:
        """Ask for a size."""
        call = Call("toy", f"inflate balloon {toy}", False, "TOY_TOKEN", self._token)
        send(self._http, call, "PUT", f"/balloons/{toy}", body={"size": size})
