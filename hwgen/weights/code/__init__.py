"""The weight codes, one file each, found by walking this folder; their product forms by name.

A code's file has a class derived from `hwgen.weights.base.Code`; a form that no code lists is not offered.
"""

from __future__ import annotations

from hwgen.hw.product import ProductForm
from hwgen.support.registry import modules
from hwgen.weights.base import Code

CODES: dict[str, type[Code]] = {}
FORMS: dict[str, type[ProductForm]] = {}
for _module in modules(__name__):
    for _code in vars(_module).values():
        if isinstance(_code, type) and issubclass(_code, Code) and _code.__module__ == _module.__name__:
            CODES[_code.name] = _code
            FORMS.update({form.name: form for form in _code.forms})

__all__ = ["CODES", "FORMS"]
