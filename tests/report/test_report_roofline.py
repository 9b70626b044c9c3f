"""Points and roofs where the numbers say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

from hwgen.report.folder import gather
from hwgen.report.layers import layers_of, size_bytes
from hwgen.report.roofline import HEIGHT, NEAR, WIDTH, Roofline, roofline


@pytest.mark.parametrize(
    ("shape", "span", "expected"),
    [([8, 8, 4], [-128, 127], 256), ([2, 2, 2], [0, 1], 1), ([1, 1, 8], [-1, 1], 2), ([1, 1, 8], [0, 255], 8),
     ([1, 1, 8], [-129, 0], 9), ([1, 1, 8], [0, 0], 1)],
)  # fmt: skip
def test_packed_bytes(shape: list[int], span: list[int], expected: float) -> None:
    assert size_bytes(shape, span) == expected


def value(plot: Roofline, x: float, y: float) -> tuple[float, float]:
    """What a place in the plot stands for, by its ticks."""

    def back(ticks: list[tuple[str, float]], at: float) -> float:
        (low, first), (high, last) = ticks[0], ticks[-1]
        span = math.log10(float(high)) - math.log10(float(low))
        return 10 ** (math.log10(float(low)) + span * (at - first) / (last - first))

    return back(plot.x_ticks, x), back(plot.y_ticks, y)


def test_points_and_roofs(build_folder: Callable) -> None:
    facts = gather(build_folder(initiation_interval=6000, clock_mhz=100.0))
    layers = layers_of(facts)
    plot = roofline(facts, layers, "ecp5")
    by_number = {point.number: point for point in plot.points}
    assert sorted(by_number) == [0, 1, 2, 4]
    first = by_number[1]  # 144 * 64 MACs in 1000 clocks for 144 + 64 + 256 bytes
    assert first.speed == pytest.approx(9.216) and first.intensity == pytest.approx(9216 / 464)
    assert value(plot, first.x, first.y) == pytest.approx((9216 / 464, 9.216), rel=0.02)
    whole = by_number[0]  # the link carries 64 and 10 bytes
    assert whole.speed == pytest.approx(3 * 9216 / 6000) and whole.intensity == pytest.approx(3 * 9216 / 74)
    assert plot.link_fps == pytest.approx(plot.baud / 10 / 74)
    flat, *slopes = plot.roofs
    assert "20 multipliers" in flat.name  # 5 layers, 4 each
    assert value(plot, 0, float(re.match(r"M0 ([\d.]+)H", flat.line).group(1)))[1] == pytest.approx(
        20, rel=0.02
    )
    for roof, rate in zip(slopes, [plot.baud / 10 / 100e6, 9 * 4.5]):
        x0, y0, x1, y1 = map(float, re.match(r"M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)$", roof.line).groups())
        for place in ((x0, y0), (x1, y1)):
            intensity, speed = value(plot, *place)
            assert speed / intensity == pytest.approx(rate, rel=0.02)
    for point in plot.points:
        assert 0 <= point.x <= WIDTH and 0 <= point.y <= HEIGHT
        others = [other for other in plot.points if other is not point]
        assert all(math.hypot(point.x - o.x, point.y - o.y) >= NEAR for o in others)


def test_loads_count_as_traffic(build_folder: Callable) -> None:
    facts = gather(build_folder(engine="systolic"))
    plot = roofline(facts, layers_of(facts), "ecp5")
    assert plot.loads and any("flash" in roof.name for roof in plot.roofs)
    whole = next(point for point in plot.points if not point.number)
    assert whole.intensity == pytest.approx(3 * 9216 / (1500 * 0.5))
    layer = next(point for point in plot.points if point.number == 1)
    assert layer.intensity == pytest.approx(9216 / 144) and layer.top is None


def test_no_multiplications(build_folder: Callable) -> None:
    facts = gather(build_folder())
    assert roofline(facts, [layer for layer in layers_of(facts) if layer.kind == "add"], "ecp5") is None
