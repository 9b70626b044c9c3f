"""The three folders outside the package, found both in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """Path of `boards`, `rtl_templates` or `sim`."""
    for base in (_PACKAGE / "_data", _PACKAGE.parent):
        path = base / name
        if path.is_dir():
            return path
    raise FileNotFoundError(f"hwgen's folder {name!r} is missing from this installation")
