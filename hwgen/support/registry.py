"""Finds plug-ins by walking a package's folder: a broken plug-in is an error, never a warning."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules(package: str, leaf: str | None = None) -> list[ModuleType]:
    """All modules directly in `package`, in name order.

    With `leaf`, the module of that name inside every sub-package that has one, e.g.
    ``modules("hwgen.layers", "golden")`` imports ``hwgen.layers.*.golden``.
    """
    root = importlib.import_module(package)
    found = []
    for info in sorted(pkgutil.iter_modules(root.__path__), key=lambda item: item.name):
        if leaf is None:
            if not info.ispkg:
                found.append(importlib.import_module(f"{package}.{info.name}"))
        elif info.ispkg:
            name = f"{package}.{info.name}"
            inside = {m.name for m in pkgutil.iter_modules(importlib.import_module(name).__path__)}
            if leaf in inside:
                found.append(importlib.import_module(f"{name}.{leaf}"))
    return found
