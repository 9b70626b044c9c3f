"""The weight codes, one file each, found by walking this folder; their product forms by name.

A code's file has a class derived from `hwgen.weights.base.Code`; a form that no code lists is not offered.
"""

from __future__ import annotations

from hwgen.hw.product import ProductForm
from hwgen.support.registry import modules
from hwgen.weights.base import Code


def codes_in(package: str) -> dict[str, type[Code]]:
    """Codes by name, of all modules directly in `package`."""
    return {
        code.name: code
        for module in modules(package)
        for code in vars(module).values()
        if isinstance(code, type) and issubclass(code, Code) and code.__module__ == module.__name__
    }


CODES: dict[str, type[Code]] = codes_in(__name__)
FORMS: dict[str, type[ProductForm]] = {form.name: form for code in CODES.values() for form in code.forms}

__all__ = ["CODES", "FORMS", "codes_in"]
