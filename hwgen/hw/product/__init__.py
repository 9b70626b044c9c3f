"""Product forms: ways to multiply and add, interchangeable inside a processing element.

dsp      one hard multiplier a product
dsp2     two products a hard multiplier, for two outputs that share their activations
dsp8     two products of 8 bits a hard multiplier that splits into halves; dsp8_lanes: of one output (halves)
lut      LUTs and carry chains only
pair     two products of one multiplication in a hard multiplier
pair_lut the same in LUTs
generic  whatever synthesis infers
lut_x    lut with the roles turned, for activations narrower than the weights (xrows)
shift    the weight shifted by the activation's code, for activations that are powers of two; the forms of
         signs and few powers of two also for these, the values looked up first: bipolar_coded .. (decoded)
bits     popcounts of weights' bit planes AND activations' bit planes
xnor     a popcount, for bipolar weights and bits
planes   a popcount for every bit plane of the activations, for weights of signs only; planes2, planes3
bipolar  activations passed or complemented inside carry slots; what that shares with other sums of powers
         of two is in terms and join

More forms stand beside the weight codes that they serve (weights/code).
"""

from __future__ import annotations

from hwgen.hw.product.dsp import DspForm, GenericForm
from hwgen.hw.product.form import ProductForm
from hwgen.hw.product.packed import PackedForm
from hwgen.hw.product.pairs import PairForm, PairRowsForm
from hwgen.hw.product.rows import RowsForm

__all__ = ["DspForm", "GenericForm", "PackedForm", "PairForm", "PairRowsForm", "ProductForm", "RowsForm"]
