"""A health check as a load balancer makes it: does this address answer 2xx?"""

from __future__ import annotations

import httpx

from service.providers.errors import in_words
from service.providers.http import make_http_client
from service.providers.waits import Timeouts


class HttpHealthProbe:
    """Sends one GET (`service.ports.HealthProbe`). Never raises, whatever the address does."""

    def __init__(self, *, timeouts: Timeouts | None = None) -> None:
        self._timeouts = timeouts or Timeouts()
        self._http = make_http_client("", timeouts=self._timeouts)

    def check(self, url: str) -> str | None:
        """None if `url` answers 2xx. Otherwise a sentence. The body is not read."""
        try:
            with self._http.stream("GET", url) as response:
                status = response.status_code
        except httpx.TimeoutException:
            return f"{_shown(url)} did not answer within {self._timeouts.total:.0f} s."
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            return f"{_shown(url)} could not be asked: {in_words(problem)}."
        if 200 <= status < 300:  # noqa: PLR2004 - what 2xx means
            return None
        return f"{_shown(url)} answered {status} instead of 2xx."

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _shown(url: str) -> str:
    """The address without its user, password and query, which may be secret."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx.InvalidURL:
        return "the health check's address"
