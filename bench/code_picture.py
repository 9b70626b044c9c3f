"""The codes' costs as bars: for each set of weights and width of activations what an operation takes."""

from __future__ import annotations

import html
from collections.abc import Sequence

from hwgen.flow import templates

#: weights, activations, structure, LUT4 an operation, multipliers of the unit, MHz if it was routed
Bar = tuple[str, str, str, float, int, float | None]
HEIGHT, BAR, GAP = 260, 16, 18  # pixels: of the axis, of a bar, between sets of weights
COLOURS = ("#4c78a8", "#72b7b2", "#f2b134", "#d1495b", "#9aa0a6", "#6b4c9a")
STEPS = [digit * 10**power for power in range(5) for digit in (1, 2, 5)]


def picture(title: str, bars: Sequence[Bar]) -> str:
    """SVG: LUT4 an operation of the cheapest structure without multipliers (a bar).

    Grey, below: with multipliers, where they save LUT4s. A dot: the bar's structure was routed."""
    names = list(dict.fromkeys(bits for _, bits, *_ in bars))
    pairs: dict[tuple[str, str], tuple[Bar, Bar | None]] = {}
    for weights, bits, *_ in bars:
        here = sorted((bar for bar in bars if bar[:2] == (weights, bits)), key=lambda bar: bar[3])
        plain = next((bar for bar in here if not bar[4]), None)
        if plain:
            pairs[weights, bits] = plain, here[0] if here[0][4] else None
    groups = list(dict.fromkeys(weights for weights, _ in pairs))
    highest = max(plain[3] for plain, _ in pairs.values())
    step = next(each for each in STEPS if highest <= 10 * each)
    top = -(-highest // step) * step
    drawn = []
    speeds = [plain[5] for plain, _ in pairs.values() if plain[5]]
    routed = f"; dots: routed, at {min(speeds):.0f} to {max(speeds):.0f} MHz" if speeds else ""
    for place, weights in enumerate(groups):
        left = place * (len(names) * BAR + GAP) + GAP / 2
        found = [
            _bar(left + at * BAR, *pairs[weights, bits], COLOURS[at], HEIGHT / top, bits)
            for at, bits in enumerate(names)
            if (weights, bits) in pairs
        ]
        drawn.append({"title": html.escape(weights), "middle": left + len(names) * BAR / 2, "bars": found})
    return templates.render(
        "bars.svg.j2",
        title=html.escape(title),
        note=f"by bits of activations; no multipliers; grey: with them, where less{routed}",
        width=max(560, len(groups) * (len(names) * BAR + GAP)),
        height=HEIGHT,
        ticks=[(f"{k * step:g}", HEIGHT - k * step * HEIGHT / top) for k in range(int(top / step) + 1)],
        groups=drawn,
        bar=BAR,
        colours={name: colour for name, colour in zip(names, COLOURS)},
    )


def _bar(left: float, plain: Bar, short: Bar | None, colour: str, scale: float, letter: str):  # type: ignore[no-untyped-def]
    """Left edge, rectangles (y, height, colour) from below, whether routed, text, letter."""
    weights, bits, form, lut4, _, mhz = plain
    text = f"{weights} x {bits}: {lut4:.1f} LUT4 as {form}" + (f", {mhz:.0f} MHz" if mhz else "")
    parts, low = [], 0.0
    if short:
        low = short[3]
        parts.append((round(HEIGHT - low * scale, 2), round(low * scale, 2), "#bbbbbb"))
        text += f"; {low:.1f} and multipliers as {short[2]}"
    parts.append((round(HEIGHT - lut4 * scale, 2), round((lut4 - low) * scale, 2), colour))
    return left, parts, mhz is not None, html.escape(text), letter
