"""Hardware of `scale`."""

from __future__ import annotations

from amaranth.lib import wiring

from hwgen.hw.scaleunit import FORMS, ScaleUnit
from hwgen.hw.staircase import StaircaseUnit
from hwgen.ir.tensor import Tensor
from hwgen.layers.folding import Folding
from hwgen.layers.scale.op import Scale
from hwgen.targets.base import Target


def build(node: Scale, inputs: list[Tensor], folding: Folding, target: Target) -> wiring.Component:
    """Two streams in step, pixel by pixel."""
    a, b = inputs
    product = node.product_range(a.range, b.range)
    activation = None
    if node.act is not None:
        activation = StaircaseUnit(
            node.act, lanes=folding.lanes, channels=a.shape[2], value=product, target=target
        )
    return ScaleUnit(
        a=a.range,
        b=b.range,
        channels=a.shape[2],
        lanes=folding.lanes,
        form=FORMS[folding.product],
        activation=activation,
        out=node.act.range if node.act else product,
        target=target,
    )
