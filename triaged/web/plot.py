"""Numbers in, a picture of stacked bars as SVG out; the sheet colours it, and it says what it shows (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from triaged.web.words import KNOWN

WIDTH, HEIGHT = 400, 190
LEFT, RIGHT, TOP, BOTTOM = 34, 4, 10, 24
"""Room round the bars, in units of the picture."""
MOST_LABELS = 7
"""Below the bars; of more bars every second, third … has one."""
GAP = 0.25
"""Of a bar's width."""
CHARACTER = 6.2
"""Width of a letter of 11 units, about."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar. kind: its class in the sheet, which gives the colour; name: for people."""

    kind: str
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Bar:
    """label: below it; parts: from the bottom up."""

    label: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(part.number for part in self.parts)


def stacked_bars(bars: Sequence[Bar], *, name: str, title: str, told: str) -> Markup:
    """The picture. name: tells it from others on the page; title, told: what it shows, for who cannot see it."""
    steps = ticks(max((bar.total for bar in bars), default=0))
    top, floor = steps[-1], HEIGHT - BOTTOM
    unit = (floor - TOP) / top
    width = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    drawn = [_rule(step, floor - step * unit) for step in steps]
    every = max(1, math.ceil(len(bars) / MOST_LABELS))
    for place, bar in enumerate(bars):
        left = LEFT + place * width
        drawn.append(_bar(bar, left + width * GAP / 2, width * (1 - GAP), floor, unit))
        if (len(bars) - 1 - place) % every == 0:
            drawn.append(_label(bar.label, left + width / 2, floor + 17))
    return Markup(
        '<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-title {name}-told">'
        '<title id="{name}-title">{title}</title><desc id="{name}-told">{told}</desc>{drawn}</svg>'
    ).format(width=WIDTH, height=HEIGHT, name=name, title=title, told=told, drawn=Markup("").join(drawn))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its numbers. series: class and name of each colour, from the bottom up; rows: label, a number for
    each of them. It is shown by `pages/parts/picture.html`."""

    svg: Markup
    told: str
    series: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def picture(
    name: str,
    title: str,
    told: str,
    series: tuple[tuple[str, str], ...],
    rows: tuple[tuple[str, tuple[int, ...]], ...],
    labels: Sequence[str],
) -> Picture:
    """labels: below the bars, where there is less room than in the table."""
    bars = [
        Bar(label, tuple(Part(kind, each, number) for (kind, each), number in zip(series, numbers, strict=True)))
        for label, (_, numbers) in zip(labels, rows, strict=True)
    ]
    return Picture(stacked_bars(bars, name=name, title=title, told=told), told, series, rows)


def colour(category: str) -> str:
    """The class that gives a category its colour."""
    return category if category in (*KNOWN, "other", "automatic") else "own"


def ticks(most: int) -> tuple[int, ...]:
    """Where the lines are drawn: from 0 in even steps of 1, 2 or 5 times a power of ten, the last at or above `most`.

    Five steps at most, at least one.
    """
    step = 1
    while step * 5 < most:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return tuple(range(0, max(1, math.ceil(most / step)) * step + 1, step))


def _rule(step: int, y: float) -> Markup:
    return Markup(
        '<line class="axis" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text x="{end}" y="{base:.1f}" text-anchor="end">{step:,}</text>'
    ).format(left=LEFT, right=WIDTH - RIGHT, y=y, end=LEFT - 6, base=y + 4, step=step)


def _bar(bar: Bar, x: float, width: float, floor: float, unit: float) -> Markup:
    drawn, y = Markup(""), floor
    for part in bar.parts:
        height = part.number * unit
        if part.number == 0:
            continue
        y -= height
        drawn += Markup(
            '<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
            "<title>{label}: {number:,} {name}</title></rect>"
        ).format(
            kind=part.kind,
            x=x,
            y=y,
            width=width,
            height=max(0.5, height - 0.5),
            label=bar.label,
            number=part.number,
            name=part.name,
        )
    return drawn


def _label(text: str, x: float, y: float) -> Markup:
    half = len(text) * CHARACTER / 2
    x = min(max(x, half), WIDTH - half)
    return Markup('<text x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>').format(x=x, y=y, text=text)
