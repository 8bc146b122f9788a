"""docs/caching.md shows code that runs, and says the numbers that the code has."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.caching import LONGEST_LIFE_S, cache
from service.caching.circuit import REST_S
from service.caching.cloudflare import TAGS_A_REQUEST
from service.caching.memory import TRUST_S
from service.caching.redis_layer import TIMEOUT_S as REDIS_S
from service.caching.table import TIMEOUT_S as TABLE_S
from tests.processes import ROOT, wait_until
from tests.redis_servers import RedisServer, executable

PAGE = (ROOT / "docs" / "caching.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    server = RedisServer(executable(), Path(tempfile.mkdtemp()))
    server.start()
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'cache.db'}")
    monkeypatch.setenv("CLOUDFLARE_ZONE", "z0")
    monkeypatch.setenv("CLOUDFLARE_PURGE_TOKEN", "fake-token-of-the-tests")
    yield
    server.stop()


@pytest.mark.usefixtures("addresses")
def test_the_code_of_the_page_runs_and_does_what_it_says() -> None:
    first, second, third, fourth = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(first, "docs/caching.md", "exec"), names)  # noqa: S102 - the page's own code
    # One load before the invalidation and one after it.
    counts = names["cache"].counts().cache
    assert counts == {"loaded": 2, "hit": 1}
    exec(compile(second, "docs/caching.md", "exec"), names)  # noqa: S102 - as above
    assert wait_until(lambda: names["listener"].hears, 30.0)
    names["listener"].close()
    exec(compile(third, "docs/caching.md", "exec"), names)  # noqa: S102 - as above
    assert names["cached"].value == {"number": 42, "text": "What is a cache?"}
    assert names["headers"]["Cache-Tag"].endswith("quizmentor:questions")
    assert names["cache"].counts().cache == {"hit": 1}
    exec(compile(fourth, "docs/caching.md", "exec"), names)  # noqa: S102 - as above
    assert (names["life"].fresh_s, names["everything"]) == (300.0, False)


@pytest.mark.parametrize(
    "said",
    [
        f"trusts a copy for {TRUST_S:.0f} s",
        f"look every {cache.POLL_S * 1000:.0f} ms",
        f"`load_s` ({cache.LOAD_S:.0f} s)",
        f"for {cache.RETRY_S:.0f} s (`retry_s`)",
        f"left alone for {REST_S:.0f} s",
        f"| Redis hangs | {REDIS_S} s",
        f"| the database hangs | {TABLE_S} s",
        f"Cloudflare takes {TAGS_A_REQUEST} tags",
        "A life is a week at most",
        "Up to a tenth of the fresh time",
    ],
)
def test_the_page_says_the_numbers_of_the_code(said: str) -> None:
    assert said in WORDS
    assert LONGEST_LIFE_S == 7 * 86_400
    assert pytest.approx(0.1) == cache.JITTER
