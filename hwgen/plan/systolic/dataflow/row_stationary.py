"""Row-stationary: an element keeps a row of the kernel and slides it along a row of the image.

Chen, Emer, Sze, "Eyeriss: a spatial architecture for energy-efficient dataflow", ISCA 2016. R elements down
by e output rows across make a set: kernel rows are shared along a row of elements, image rows along a
diagonal, sums are added down a column. v = A / R sets stand on each other with other channels (their sums
are added too), h = B / e side by side with other outputs; a kernel higher than the array is folded. An
element holds the rows of p <= SPAD / S outputs, so that each activation serves p*S products:

    passes P = ceil(R / A) * ceil(C / v)         a pass: F*S*p steps
    tiles = ceil(E / e) * ceil(M / (h*p))        of P passes each

Per pass: v * ((e-1)*U + R) image rows of (F-1)*V + S activations and R*S*v*h*p weights from memory; e*h*p*F
sums to the accumulators. Per product: a weight, an activation and a sum read, a sum written, all in
registers.

Depthwise, this engine has its own row-stationary order: a row of the kernel lies down the array's rows, a
column is a channel, and sums move down one element while the image moves one pixel, which is the same
diagonal. Then

    passes P = R * ceil(S / A)     blocks = ceil(C / B)     steps = blocks * P * n

n: consecutive pixels of a tile, what lies between its rows included; of stride V, every V-th sum is kept.
Several rows of a small image's kernel fit the array at once. Accesses are those of the weight-stationary
order.
"""

from __future__ import annotations

from hwgen.plan.systolic.energy.accesses import Traffic, Use, clocks, ports
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.plan.systolic.energy.mapping import Mapping
from hwgen.plan.systolic.tiling import Tiler
from hwgen.program.array import PARAMETER_WORDS, Array

NAME = "row-stationary"
WHAT = "rows of the kernel stay, rows of the image are shared along diagonals; the engine's depthwise order"
SPAD = 16  # weights of an element: one column of an ECP5's distributed RAM


def mapping(layer: Layer, array: Array) -> Mapping:
    """Runs in the engine's depthwise order."""
    (r, s), (u, v) = layer.kernel, layer.stride
    linear = (u, v) == (1, 1)
    together = min(r, (array.rows - s) // layer.pitch + 1) if linear and s <= array.rows else 1
    reach = (together - 1) * layer.pitch + min(s, array.rows) - 1

    def steps(rows: int, columns: int) -> int:
        if linear:
            return (rows - 1) * layer.pitch + columns + reach
        return rows * ((columns - 1) * v + 1 + reach)

    passes = -(-r // together) * -(-s // array.rows)
    blocks = -(-layer.outputs // array.columns)
    return Mapping.tiled(Tiler(array, passes, blocks, steps), layer.out, depthwise=True)


def use(layer: Layer, array: Array) -> Use:
    """Cycles and accesses of a layer."""
    return mapping(layer, array).use(layer.macs, array) if layer.depthwise else _sets(layer, array)


def runs(layer: Layer, array: Array) -> Mapping | None:
    """Depthwise layers."""
    return mapping(layer, array) if layer.depthwise else None


def _sets(layer: Layer, array: Array) -> Use:
    (r, s), (u, v), (rows, columns) = layer.kernel, layer.stride, layer.out
    parts = -(-columns // array.depth)
    columns = -(-columns // parts)
    down = min(r, array.rows)
    stacked = min(array.rows // down, layer.channels)
    across = min(array.columns, rows)
    beside = min(array.columns // across, layer.outputs)
    room = array.depth * array.columns // (across * beside * columns)
    each = max(1, min(SPAD // s, -(-layer.outputs // beside), room))
    turns = -(-layer.outputs // (beside * each))
    each = -(-layer.outputs // (beside * turns))
    passes = -(-r // array.rows) * -(-layer.channels // stacked)
    tiles = parts * -(-rows // across) * turns

    active = down * across * stacked * beside
    seen = (columns - 1) * v + s
    read = min(across * down, (across - 1) * u + down) * stacked * seen
    weights = down * s * stacked * beside * each
    sums = across * beside * each * columns
    products = columns * s * each  # of an element, a pass
    compute = passes * max(products, ports(array, read, weights, sums))
    n = tiles * passes
    return Use(
        macs=layer.macs,
        cycles=clocks(array, tiles, compute, sums),
        register=Traffic(
            activations=n * active * (products + seen),
            weights=n * active * (products + s * each),
            sums=n * active * 2 * products,
        ),
        neighbour=Traffic(
            activations=n * (active * seen - read),
            weights=n * (active * s * each - weights),
            sums=n * (down * stacked - 1) * sums,
        ),
        memory=Traffic(
            activations=n * read + tiles * sums,
            weights=n * weights + tiles * PARAMETER_WORDS * array.columns,
            sums=2 * n * sums,
        ),
    )
