from __future__ import annotations

import json

import pytest

from service.cli.output import Rows, fail, print_json, say


def test_what_came_from_outside_is_never_read_as_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = Rows("label")
    rows.add("[red]not a colour[/red] [/]")
    rows.print()
    say("[bold]as it is[/bold]")
    out = capsys.readouterr().out
    assert "[red]not a colour[/red] [/]" in out
    assert "[bold]as it is[/bold]" in out


def test_control_characters_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Rows("label")
    rows.add("clear\x1b[2Jthe screen")
    rows.print()
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "clear\\u001b[2Jthe screen" in out


def test_a_cell_cannot_be_reordered_and_forges_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Rows("label", "verdict")
    rows.add("api\u202e\u2066\nworker", "held")
    rows.print()
    (_, row) = capsys.readouterr().out.splitlines()
    assert row.split() == [r"api\u202e\u2066\nworker", "held"]


def test_json_escapes_what_nobody_would_see_and_stays_the_same_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"größe\u202e": "a\x1b\x7f\u2028\ud800\U000e0041\n→"}
    print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert "größe" in out
    assert "→" in out
    assert all(each.isprintable() or each == "\n" for each in out)


def test_a_failure_goes_to_standard_error_with_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        fail("The first sentence.\nThe second sentence.")
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["The first sentence.", "The second sentence."]


def _alerts() -> Rows:
    rows = Rows("alert", "status", "source")
    rows.add("a-1a22266c94b00001c9aaebee", "firing", "alertmanager-of-the-second-region")
    rows.add("a-1a22266c94b00001c9aaebef", "resolved", "")
    return rows


def test_on_a_phone_no_word_is_broken_to_keep_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _alerts().print()
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["a-1a22266c94b00001c9aaebee"],
        ["status", "firing"],
        ["source", "alertmanager-of-the-second-region"],
        ["a-1a22266c94b00001c9aaebef"],
        ["status", "resolved"],
    ]


@pytest.mark.parametrize("columns", ["80", "72"])
def test_a_table_stays_one_where_its_words_fit_or_the_terminal_is_no_phone(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    _alerts().print()
    assert capsys.readouterr().out.splitlines()[0].split() == ["alert", "status", "source"]
