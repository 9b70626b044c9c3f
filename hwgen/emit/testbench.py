"""The bench shell of a core: Verilog that joins it to the players and recorders of sim/."""

from __future__ import annotations

import re

import jinja2

from hwgen.emit.manifest import Manifest
from hwgen.support import resources
from hwgen.support.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def bench_verilog(manifest: Manifest) -> str:
    """Verilog of the module `bench` around the core that `manifest` describes.

    Every stream gets a recorder, every input a player, every output a gate; sim/bench_core.py
    drives it. UsageError if a name of the manifest cannot stand in Verilog.
    """
    names = [manifest.core, manifest.clock, manifest.reset]
    names += [port.name for port in (*manifest.ports, *manifest.taps)]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise UsageError(f"{name!r} cannot stand in Verilog", where="manifest")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.folder("rtl_templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Verilog, not HTML; names are checked above
    )
    return environment.get_template("testbench.v.j2").render(
        core=manifest.core,
        clock=manifest.clock,
        reset=manifest.reset,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        taps=list(manifest.taps),
    )
