"""Product forms: ways to multiply and add, interchangeable inside a processing element.

dsp      one hard multiplier a product
dsp2     two products a hard multiplier, for two outputs that share their activations
lut      LUTs and carry chains only
pair     two products of one multiplication in a hard multiplier
pair_lut the same in LUTs
generic  whatever synthesis infers

More forms stand beside the weight codes that they serve (weights/code).
"""

from __future__ import annotations

from hwgen.hw.product.dsp import DspForm, GenericForm
from hwgen.hw.product.form import ProductForm
from hwgen.hw.product.packed import PackedForm
from hwgen.hw.product.pairs import PairForm, PairRowsForm
from hwgen.hw.product.rows import RowsForm

__all__ = ["DspForm", "GenericForm", "PackedForm", "PairForm", "PairRowsForm", "ProductForm", "RowsForm"]
