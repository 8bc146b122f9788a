"""A projection as a picture: dollars by month, with the interval and the budget, as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from service.domain.capacity.projection import Projection

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
_LINES = 4
"""Lines of the grid above zero."""
_STEPS = (1, 2, 2.5, 5, 10)


def svg(projection: Projection) -> str:
    """The picture as a document of its own, without scripts, fonts or links."""
    return "\n".join((*_parts(projection), "</svg>", ""))


def top_of(projection: Projection) -> float:
    """The upper end of the scale, in dollars: a round number above everything that is shown."""
    most = max([*(each.high for each in projection.dollars), projection.budget or 0.0, 1.0])
    step = 10.0 ** (len(str(int(most / _LINES))) - 1)
    return next(step * each for each in _STEPS if step * each * _LINES >= most) * _LINES


def _parts(projection: Projection) -> Iterator[str]:
    top, months = top_of(projection), projection.months
    across = [_x(number, len(months)) for number in range(len(months))]
    title = escape(f"Dollars a month, model {projection.model}")
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" font-family="sans-serif" font-size="12">'
    )
    yield f"<title>{title}</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    yield f'<text x="{_LEFT}" y="22" font-size="14">{title}</text>'
    for line in range(_LINES + 1):
        value = top * line / _LINES
        height = _y(value, top)
        yield f'<path d="M{_LEFT} {height}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>'
        yield (f'<text x="{_LEFT - 8}" y="{height + 4}" text-anchor="end">${value:,.0f}</text>')
    highs = [
        f"{x} {_y(each.high, top)}" for x, each in zip(across, projection.dollars, strict=True)
    ]
    lows = [f"{x} {_y(each.low, top)}" for x, each in zip(across, projection.dollars, strict=True)]
    yield f'<path d="M{"L".join([*highs, *reversed(lows)])}Z" fill="#9ec5f4" fill-opacity="0.5"/>'
    mids = [f"{x} {_y(each.mid, top)}" for x, each in zip(across, projection.dollars, strict=True)]
    yield f'<path d="M{"L".join(mids)}" fill="none" stroke="#1a5fb4" stroke-width="2"/>'
    for x, month, spent in zip(across, months, projection.dollars, strict=True):
        height = _y(spent.mid, top)
        yield f'<circle cx="{x}" cy="{height}" r="3" fill="#1a5fb4"><title>{month.name}: '
        yield f"${spent.mid:,.2f}</title></circle>"
    every = -(-len(months) // 12)
    for x, month in list(zip(across, months, strict=True))[::every]:
        yield f'<text x="{x}" y="{_HEIGHT - 25}" text-anchor="middle">{month.name}</text>'
    if projection.budget is not None:
        height = _y(projection.budget, top)
        yield (
            f'<path d="M{_LEFT} {height}H{_WIDTH - _RIGHT}" stroke="#c01c28" '
            'stroke-dasharray="6 4"/>'
        )
        yield (
            f'<text x="{_WIDTH - _RIGHT}" y="{height - 5}" text-anchor="end" fill="#c01c28">'
            f"budget ${projection.budget:,.0f}</text>"
        )


def _x(number: int, count: int) -> float:
    room = _WIDTH - _LEFT - _RIGHT - 60
    share = 0.5 if count == 1 else number / (count - 1)
    return round(_LEFT + 30 + room * share, 1)


def _y(dollars: float, top: float) -> float:
    return round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * dollars / top, 1)
