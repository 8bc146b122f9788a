"""What `runbookd check` says of the options of tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rulebook_files import errors_of, load, with_rule

MANY = ", ".join(f"'#c{number}'" for number in range(11))


def rule(options: str) -> str:
    return with_rule(action="tell", target=None, **{"with": options})


def test_a_rule_that_tells_several_channels_is_read(tmp_path: Path) -> None:
    book = load(
        tmp_path, rule("{channels: ['#ops', C0123456789], text: 'See {alert}', page: critical}")
    )
    (found,) = [each for each in book.rules if each.name == "extra"]
    assert found.options == {
        "channels": ["#ops", "C0123456789"],
        "text": "See {alert}",
        "page": "critical",
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{text: Hello}", "tell needs channels"),
        ("{channels: [], text: Hello}", "tell needs channels"),
        ("{channels: ['#ops']}", "tell needs text"),
        ("{channels: ['#ops'], text: ' '}", "tell needs text"),
        ("{channels: ['#ops', '#ops'], text: Hello}", "channels names #ops more than once"),
        ("{channels: [ops], text: Hello}", "must be a Slack channel such as '#ops'"),
        ("{channels: ['#Ops'], text: Hello}", "must be a Slack channel such as '#ops'"),
        ("{channels: ['#ops'], text: 'See {labels}'}", "text holds {labels}, which is no field"),
        ("{channels: ['#ops'], text: '{alert.x}'}", "text holds {alert.x}, which is no field"),
        (f"{{channels: ['#ops'], text: {'x' * 2001}}}", "a text of at most 2000 characters"),
        (
            f"{{channels: [{MANY}], text: Hello}}",
            "a list of at most 10 Slack channels",
        ),
        ("{channels: ['#ops'], text: Hello, page: loud}", "page must be"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path: Path, options: str, sentence: str) -> None:
    (error,) = errors_of(tmp_path, rule(options))
    assert sentence in str(error)
    assert "1.yml:" in str(error)
