"""docs/operations.md says the times and bounds that the code has."""

from __future__ import annotations

import pytest

from service.bootstrap.access import SHORTEST_SECRET
from service.settings import load_settings
from service.web.bounded_pager import AGAIN_S, PAGES_A_MINUTE
from service.web.last_resort import ALONE_S
from service.web.ops import READY_S
from tests.processes import ROOT

TEXT = " ".join((ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split())
COUNTS = {10: "ten"}


@pytest.mark.parametrize(
    "sentence",
    [
        f"{SHORTEST_SECRET} characters at least",
        f"No worker alive for {ALONE_S:.0f} s",
        f"A web process opens {COUNTS[PAGES_A_MINUTE]} a minute",
        f"told again after {AGAIN_S / 60:.0f} min",
        f"{'longer than a second' if READY_S == 1.0 else READY_S}",
        f"twice `WORKER_CONCURRENCY` ({2 * load_settings({}).worker_concurrency})",
    ],
)
def test_the_page_says_what_the_code_does(sentence: str) -> None:
    assert sentence in TEXT
