"""The driver for microcontrollers: a C99 header and source that run a core over the serial link.

`driver/hwgen_<name>.h` and `.c` speak protocol 2 (`hwgen.runtime.link`) through two functions of their
user's, and do what the manifest's edges ask of a host (emit/edges.py), with constants in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.emit.manifest import Manifest, StreamPort
from hwgen.flow.templates import render
from hwgen.ir.tensor import Affine, Edge, HostChain, HostSoftmax, HostSteps
from hwgen.numeric.ranges import Range
from hwgen.runtime.link import BAUD, IDENTITY_BYTES, IDLE_SECONDS, Request, Status, element_bytes
from hwgen.support.errors import UsageError
from hwgen.support.files import write_atomic

PROTOCOL = 2  # the one that rtl_templates/driver.c.j2 speaks
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SIZES = (8, 16, 32, 64)
_CTYPES = {f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in _SIZES} | {
    "bool": "uint8_t",
    "float32": "float",
}
_STEP = {
    "add": "value = value + k{0};",
    "sub": "value = value - k{0};",
    "rsub": "value = k{0} - value;",
    "mul": "value = value * k{0};",
    "div": "value = value / k{0};",
    "rdiv": "value = k{0} / value;",
    "max": "value = value > k{0} ? value : k{0};",
    "min": "value = value < k{0} ? value : k{0};",
}
_MARGIN_MS = 100  # beside the idle time: what a host with a UART in interrupts may be late


@dataclass(frozen=True)
class Traffic:
    """What a driver must know beside the manifest.

    name: of the driver, as `emit.verilog.identifier` makes it. design_id: what the board answers to IDENTIFY.
    offsets: what is to be added to a transported input or output to have the tensor's integer (the systolic
    engine's bytes are signed); ranges: of input and output tensor, if not those of the ports. baud: of the
    board's link. seconds: that an inference takes at most.
    """

    name: str
    design_id: int
    offsets: tuple[int, int] = (0, 0)
    ranges: tuple[Range, Range] | None = None
    baud: float = BAUD
    seconds: float = 1.0


def write_driver(folder: Path, manifest: Manifest, traffic: Traffic) -> list[Path]:
    """Write the two files into `folder`/driver; their paths. UsageError for a core that has not one input
    and one output stream."""
    texts = driver(manifest, traffic)
    for name, text in texts.items():
        write_atomic(folder / "driver" / name, text)
    return [folder / "driver" / name for name in texts]


def driver(manifest: Manifest, traffic: Traffic) -> dict[str, str]:
    """File name to text, of header and source."""
    if _NAME.fullmatch(traffic.name) is None:
        raise UsageError(f"{traffic.name[:80]!r} cannot stand in C", where="driver")
    if len(manifest.inputs) != 1 or len(manifest.outputs) != 1:
        raise UsageError("a driver is for a core with one input and one output", where="manifest")
    source, sink = manifest.inputs[0], manifest.outputs[0]
    prefix = f"hwgen_{traffic.name}"
    ranges = traffic.ranges or tuple(
        Range(port.range.lo + offset, port.range.hi + offset)
        for port, offset in zip((source, sink), traffic.offsets, strict=True)
    )
    enters, leaves = _edge(manifest, source), _edge(manifest, sink)
    length = sum(_elements(port) * element_bytes(port.range.width) for port in (source, sink))
    seconds = length * 10 / traffic.baud + traffic.seconds + IDLE_SECONDS
    values: dict[str, Any] = {
        "name": traffic.name,
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "hwgen": re.sub(r"[^A-Za-z0-9.+-]", "", manifest.hwgen),
        "protocol": PROTOCOL,
        "design_id": traffic.design_id,
        "baud": round(traffic.baud),
        "idle_ms": ceil(IDLE_SECONDS * 1e3),
        "milliseconds": ceil(seconds * 1e3) + _MARGIN_MS,
        "input": _port(source, ranges[0], traffic.offsets[0]) | {"affine": None, "model": None},
        "output": _port(sink, ranges[1], traffic.offsets[1]) | {"affine": None, "model": None, "behind": ""},
        "request": Request,
        "status": Status,
        "identity_bytes": IDENTITY_BYTES,
        "crc_table": [f"UINT32_C(0x{_crc_entry(k):08x})" for k in range(16)],
    }
    if enters is not None:
        values["input"] |= {
            "affine": _affine(enters.affine, ranges[0]),
            "model": _entering(source, enters, ranges[0]),
        }
    if leaves is not None:
        values["output"] |= {"affine": _affine(leaves.affine, ranges[1]), "model": _leaving(sink, leaves)}
    else:
        values["output"]["behind"] = "layers that the host computes"
    return {f"{prefix}{end}": render(f"driver{end}.j2", **values) for end in (".h", ".c")}


def _edge(manifest: Manifest, port: StreamPort) -> Edge | None:
    """The model's edge that the port carries; None if the host computes something between them."""
    return next((entry.edge for entry in manifest.edges if entry.port == port.name), None)


def _elements(port: StreamPort) -> int:
    return prod(port.shape)


def _port(port: StreamPort, values: Range, offset: int) -> dict[str, Any]:
    """What travels and what the driver's user sees: tensor = transported + offset."""
    lo, hi = values.lo, values.hi
    signed, travelling = lo < 0, element_bytes(port.range.width)
    magnitude = (max(hi, -1 - lo) if signed else hi).bit_length() + signed
    bits = next(size for size in _SIZES if size >= max(magnitude, port.range.width))
    suffix = "LL" if bits == 64 else "L" if bits == 32 else ""
    return {
        "shape": port.shape,
        "elements": _elements(port),
        "bytes": travelling,
        "lo": _integer(lo),
        "hi": _integer(hi),
        "ctype": f"{'' if signed else 'u'}int{bits}_t",
        "unsigned": f"uint{bits}_t",
        "wide": f"uint{max(bits, 32)}_t",
        "offset": _integer(offset) if offset else None,
        "signed": signed,
        "travels_signed": port.range.signed,
        "travelling": f"{'' if port.range.signed else 'u'}int{bits}_t",
        "most": f"{(1 << (bits - 1)) - 1}U{suffix}",
        "extend": port.range.signed and 8 * travelling < bits,
        "sign": f"UINT{bits}_C(0x{1 << (8 * travelling - 1):x})",
    }


def _affine(affine: Affine | None, limits: Range) -> dict[str, Any] | None:
    """above, below: scaled inputs that are clamped however they are rounded."""
    if affine is None:
        return None
    return {
        "scale": _float(affine.scale),
        "zero_point": _integer(affine.zero_point),
        "above": _integer(limits.hi - affine.zero_point + 1),
        "below": _integer(limits.lo - affine.zero_point - 1),
        "rounding": affine.rounding,
    }


def _walk(port: StreamPort, edge: Edge) -> dict[str, Any]:
    """Loops over the stream's elements in their order, and strides in the model's own array."""
    spread = edge.spread or port.shape
    steps = (spread[1] * spread[2], spread[2], 1)
    return {"dims": tuple(spread[a] for a in edge.axes), "strides": tuple(steps[a] for a in edge.axes)}


def _entering(port: StreamPort, edge: Edge, values: Range) -> dict[str, Any] | None:
    """How an element of the model's input becomes the network's integer."""
    floats = np.dtype(edge.dtype).kind == "f"
    ctype = "float" if floats else _CTYPES.get(edge.dtype)
    if ctype is None:
        return None
    walk = {**_walk(port, edge), "ctype": ctype, "check": None, "thresholds": []}
    if edge.steps is not None:
        return {**walk, **_steps(edge.steps), "kind": "steps", "what": "type float", "refused": "not finite"}
    if edge.affine is not None and edge.affine.rounding != "none":
        return {**walk, "kind": "affine", "what": "type float", "refused": "not finite"}
    lo, hi = values.lo, values.hi
    if floats:
        what = {"what": "type float that are integers", "refused": f"no integer in {lo}..{hi}"}
        return {**walk, **what, "kind": "whole"}
    limits = np.iinfo(edge.dtype if edge.dtype != "bool" else np.uint8)
    checks = [f"x < {_integer(lo)}"] if limits.min < lo else []
    checks += [f"x > {_integer(hi)}"] if limits.max > hi else []
    what = {"what": f"type {ctype}", "refused": f"outside {lo}..{hi}" if checks else "wrong (none is)"}
    return {**walk, **what, "kind": "integer", "check": " || ".join(checks) or None}


def _steps(steps: HostSteps) -> dict[str, Any]:
    """Thresholds that finite inputs can pass or not; those that all pass are in the base."""
    rows, base = [], []
    for row, low, sign in zip(steps.thresholds, steps.base, steps.sign, strict=True):
        kept = [value for value in row if np.isfinite(np.float32(value))]
        below = sum(1 for value in row if value == -np.inf)
        base.append(low + sign * below)
        rows.append([_float(value) for value in kept] or ["0.0f"])
    counts = [sum(bool(np.isfinite(np.float32(v))) for v in row) for row in steps.thresholds]
    return {"thresholds": rows, "counts": counts, "base": base, "sign": list(steps.sign)}


def _leaving(port: StreamPort, edge: Edge) -> dict[str, Any] | None:
    """How the network's integers become the model's outputs."""
    floats = np.dtype(edge.dtype).kind == "f"
    ctype = "float" if floats else _CTYPES.get(edge.dtype)
    if ctype is None:
        return None
    made: dict[str, Any] = {**_walk(port, edge), "ctype": ctype, "what": f"type {ctype}", "softmax": None}
    if edge.softmax is not None:
        made["softmax"] = _softmax(edge.softmax, edge)
    if edge.chain is not None:
        return {**made, **_chain(edge.chain), "kind": "chain"}
    logits = edge.softmax is not None and edge.softmax.from_integers
    return {**made, "kind": "affine" if edge.affine is not None and not logits else "integer"}


def _chain(chain: HostChain) -> dict[str, Any]:
    constants = [
        {"name": "shift", "ctype": "double", "values": [_double(value) for value in chain.shift]},
        {"name": "scale", "ctype": "double", "values": [_double(value) for value in chain.scale]},
    ]
    steps = []
    for number, (kind, values) in enumerate(chain.steps):
        name = f"constants{number}"
        constants.append({"name": name, "ctype": "float", "values": [_float(value) for value in values]})
        steps.append({"name": name, "code": _STEP[kind].format(number)})
    return {"constants": constants, "steps": steps}


def _softmax(softmax: HostSoftmax, edge: Edge) -> dict[str, Any]:
    """Values apart by `step`, `outer` such groups; a table where the runtime has one (golden/edges.py)."""
    shape, axis = edge.shape, softmax.axis % len(edge.shape)
    made: dict[str, Any] = {
        "count": shape[axis],
        "step": prod(shape[axis + 1 :]),
        "outer": prod(shape[:axis]),
        "quantised": _affine(softmax.quantised, Range(softmax.lo, softmax.hi)),
        "lo": _integer(softmax.lo),
        "hi": _integer(softmax.hi),
        "table": None,
    }
    if softmax.from_integers:
        assert softmax.quantised is not None and edge.affine is not None
        scale = np.float64(np.float32(edge.affine.scale))
        room = max(0.0, np.log(np.float64(np.finfo(np.float32).max / np.float32(shape[axis]))) - 5) / scale
        made["table"] = [_float(value) for value in np.exp((room - np.arange(256)) * scale)]
        made["steps"] = _float(np.floor(np.float32(1) / np.float32(softmax.quantised.scale)))
    return made


def _crc_entry(k: int) -> int:
    """CRC-32 (reflected 0x04c11db7) of four bits."""
    for _ in range(4):
        k = k >> 1 ^ (0xEDB88320 if k & 1 else 0)
    return k


def _float(value: float) -> str:
    """A float32 constant, to the last bit."""
    return f"{float(np.float32(value)).hex()}f"


def _double(value: float) -> str:
    return float(value).hex()


def _integer(value: int) -> str:
    """An integer constant that C90's and C99's rules give a type that holds it, signed."""
    if value == -(1 << 63):
        return f"(-{(1 << 63) - 1}LL - 1)"
    wide = "LL" if not -(1 << 31) < value < 1 << 31 else "L" if not -(1 << 15) < value < 1 << 15 else ""
    return f"({value}{wide})" if value < 0 else f"{value}{wide}"
