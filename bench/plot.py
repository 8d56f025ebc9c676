"""The plot of docs/performance.md: tokens per second of decoding by batch, as an SVG."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 150, 40, 50
COLORS = ("#888888", "#1f77b4", "#d62728", "#2ca02c", "#9467bd")

#: By contender: batch and tokens per second, in the order of the batches.
Lines = dict[str, list[tuple[int, float]]]


def lines_of(figures: Mapping[str, float]) -> Lines:
    """Decoding at a context of 64, from the results of bench.engine."""
    found: Lines = {}
    for name, rate in figures.items():
        match = re.fullmatch(r"engine\.decode_rate\.(\d+)x64\.(.+)", name)
        if match:
            found.setdefault(match[2], []).append((int(match[1]), rate))
    return {name: sorted(points) for name, points in found.items()}


def step_of(highest: float) -> int:
    """Between two marks of the axis: 1, 2 or 5 times a power of ten, at most six marks."""
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    return int(next(step for step in steps if highest / step <= 6))


def draw(figures: Mapping[str, float]) -> str:
    """The SVG; without such figures an empty frame."""
    lines = lines_of(figures)
    batches = sorted({batch for points in lines.values() for batch, _ in points})
    highest = max((rate for points in lines.values() for _, rate in points), default=1.0)
    step = step_of(highest)
    top = step * -(-highest // step)

    def x(batch: int) -> float:
        share = batches.index(batch) / max(1, len(batches) - 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(rate: float) -> float:
        return HEIGHT - BOTTOM - rate / top * (HEIGHT - TOP - BOTTOM)

    parts = [_text(LEFT, 22, "Decoding GPT-Neo-125M, 64 tokens before: tokens per second by batch", "start")]
    for mark in range(0, int(top) + 1, step):
        parts.append(f'<path d="M{LEFT} {y(mark):.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 8, y(mark) + 4, str(mark), "end"))
    parts += [_text(x(batch), HEIGHT - BOTTOM + 20, str(batch), "middle") for batch in batches]
    for color, (name, points) in zip(COLORS, lines.items(), strict=False):
        path = "L".join(f"{x(batch):.1f} {y(rate):.1f}" for batch, rate in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(b):.1f}" cy="{y(rate):.1f}" r="3" fill="{color}"/>' for b, rate in points]
        parts.append(_text(WIDTH - RIGHT + 10, y(points[-1][1]) + 4, name, "start", color))
    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', frame, *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str, color: str = "#333333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'
