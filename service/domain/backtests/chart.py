"""A comparison of two rule files as a picture: two bars for each number, as SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP = 720, 110, 90, 60
_BAR, _GROUP = 12, 44
_IN_FORCE, _NEW = "#9a9996", "#1a5fb4"


def svg(totals: Mapping[str, tuple[float, float]]) -> str:
    """The totals of both files as a document of its own, without scripts, fonts or links. Each
    number has a scale of its own, because dollars and pages have none in common."""
    return "\n".join((*_parts(totals), "</svg>", ""))


def _parts(totals: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    height = _TOP + _GROUP * len(totals)
    title = "The same alerts by two rule files"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" font-family="sans-serif" font-size="12">'
    )
    yield f"<title>{title}</title>"
    yield f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    yield f'<text x="{_LEFT}" y="22" font-size="14">{title}</text>'
    yield from _legend()
    for number, (name, pair) in enumerate(totals.items()):
        top = _TOP + _GROUP * number
        yield f'<text x="{_LEFT - 8}" y="{top + 17}" text-anchor="end">{escape(name)}</text>'
        most = max(*pair, 1e-9)
        for row, (value, colour) in enumerate(zip(pair, (_IN_FORCE, _NEW), strict=True)):
            yield from _bar(top + row * (_BAR + 2), value, most, colour)


def _legend() -> Iterator[str]:
    for at, colour, text in ((0, _IN_FORCE, "in force"), (90, _NEW, "new")):
        yield f'<rect x="{_LEFT + at}" y="34" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{_LEFT + at + 18}" y="44">{text}</text>'


def _bar(top: float, value: float, most: float, colour: str) -> Iterator[str]:
    width = round((_WIDTH - _LEFT - _RIGHT) * value / most, 1)
    yield f'<rect x="{_LEFT}" y="{top}" width="{width}" height="{_BAR}" fill="{colour}"/>'
    yield f'<text x="{_LEFT + width + 6}" y="{top + 10}">{value:,g}</text>'
