"""Product forms: ways to multiply and add, interchangeable inside a processing element.

dsp      one hard multiplier a product
dsp2     two products a hard multiplier, for two outputs that share their activations
lut      LUTs and carry chains only
generic  whatever synthesis infers
"""

from __future__ import annotations

from hwgen.hw.product.dsp import DspForm, GenericForm
from hwgen.hw.product.form import ProductForm
from hwgen.hw.product.packed import PackedForm
from hwgen.hw.product.rows import RowsForm

FORMS: dict[str, type[ProductForm]] = {
    form.name: form for form in (DspForm, PackedForm, RowsForm, GenericForm)
}

__all__ = ["FORMS", "DspForm", "GenericForm", "PackedForm", "ProductForm", "RowsForm"]
