"""Shapes of stream payloads: from a value range and a number of lanes to Amaranth layouts."""

from __future__ import annotations

from amaranth.hdl import Shape
from amaranth.lib import data, stream

from hwgen.numeric.ranges import Range


def shape_of(value: Range) -> Shape:
    """Narrowest Amaranth shape that holds every integer of `value`."""
    return Shape(value.width, value.signed)


def lanes_layout(value: Range | Shape, lanes: int) -> data.ArrayLayout:
    """Payload of a beat: `lanes` consecutive channels, channel 0 in the low bits."""
    if lanes < 1:
        raise ValueError(f"lanes: must be at least 1, not {lanes}")
    return data.ArrayLayout(shape_of(value) if isinstance(value, Range) else Shape.cast(value), lanes)


def lanes_stream(value: Range | Shape, lanes: int) -> stream.Signature:
    """Stream of such beats (source side; wrap in In() for a sink)."""
    return stream.Signature(lanes_layout(value, lanes))
