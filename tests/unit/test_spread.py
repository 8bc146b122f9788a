"""Which boundaries of a crash test are long, and which are tried every time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import pytest_collection_modifyitems
from tests.databases import POSTGRES, SQLITE


@pytest.mark.parametrize(
    ("params", "named", "long"),
    [
        ({"databases": SQLITE, "boundary": "done:report"}, ("done:write",), False),
        ({"databases": POSTGRES, "boundary": "done:write"}, ("done:write",), False),
        ({"databases": POSTGRES, "boundary": "done:report"}, ("done:write",), True),
        ({"databases": SQLITE}, (), False),
        ({"databases": POSTGRES}, (), True),
    ],
)
def test_only_on_postgresql_and_only_boundaries_that_are_not_named_are_long(
    request: pytest.FixtureRequest, params: dict[str, Any], named: tuple[str, ...], long: bool
) -> None:
    item: pytest.Function = pytest.Function.from_parent(
        request.node.parent, name="made", callobj=lambda: None
    )
    item.callspec = SimpleNamespace(params=params)  # type: ignore[assignment]  # all that is read
    item.add_marker(pytest.mark.spread(*named))
    pytest_collection_modifyitems([item])
    assert (item.get_closest_marker("long") is not None) == long
