"""The address that is called while all is well: a dead man's switch such as healthchecks offer."""

from __future__ import annotations

from urllib.parse import urlsplit

from service.providers.errors import Call
from service.providers.http import fetch, make_http_client
from service.providers.waits import Timeouts


class HttpHeartbeat:
    """One GET to the address, whose answer must be a 2xx (`service.ports.watchdogs.Heartbeat`).

    The whole address is a secret: whoever knows it can say that all is well.
    """

    def __init__(self, url: str, timeouts: Timeouts | None = None) -> None:
        self._url = url
        parts = urlsplit(url)
        self._http = make_http_client(f"{parts.scheme}://{parts.netloc}", timeouts=timeouts)

    def beat(self) -> None:
        """Call the address once."""
        call = Call("heartbeat", "say that all is well", True, "HEARTBEAT_URL", self._url)
        fetch(self._http, call, self._url)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
