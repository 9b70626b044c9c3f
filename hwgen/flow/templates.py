"""Jinja2 for scripts and benches: an undefined name is an error, nothing is escaped, names are checked."""

from __future__ import annotations

import re
from typing import Any

import jinja2

from hwgen.support import resources
from hwgen.support.errors import ToolError

_NAME = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_.$-]{0,400}")


def render(template: str, **values: Any) -> str:
    """The template of that name in `rtl_templates/`, filled in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.folder("rtl_templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # scripts and Verilog, not HTML
    )
    return environment.get_template(template).render(**values)


def checked_name(name: str, what: str) -> str:
    """`name` if it can stand in a script as it is; ToolError otherwise."""
    if not _NAME.fullmatch(name):
        raise ToolError(f"{what} {name[:80]!r} has characters that the tools' scripts cannot hold")
    return name
