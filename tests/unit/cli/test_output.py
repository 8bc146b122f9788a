from __future__ import annotations

import pytest

from service.cli.output import Rows, fail, say


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
    assert "clear\N{REPLACEMENT CHARACTER}[2Jthe screen" in out


def test_a_failure_goes_to_standard_error_with_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        fail("The first sentence.\nThe second sentence.")
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["The first sentence.", "The second sentence."]
