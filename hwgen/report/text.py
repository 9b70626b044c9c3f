"""The report as text for people."""

from __future__ import annotations

from typing import Any

from hwgen.report.data import RESOURCES
from hwgen.support.table import table


def render(report: dict[str, Any]) -> str:
    """The report for a person: what, whether exact, how fast, what it takes, layer by layer."""
    lines = [f"{report['model']} on {report['board']}, {report['engine']} engine", ""]
    lines += [f"  {label:<12}{text}" for label, text in _summary(report)]
    lines += ["", _table(report)]
    path = report.get("critical_path")
    if path:
        lines += ["", f"Slowest path: {path}"]
    return "\n".join(lines) + "\n"


def _summary(report: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    exact = report.get("exact", {})
    if exact.get("levels"):
        what = " = ".join(exact["levels"])
        counted = f"{exact['samples']} inputs, {exact['integers']:,} integers, {exact['mismatches']} differ"
        rows.append(("exact", f"{what} ({counted})"))
    else:
        rows.append(("exact", "not verified yet: run `hwgen verify`"))
    if report.get("inferences_per_second"):
        latency = report["cycles_per_inference"] / report["clock_mhz"]
        measured = "measured" if exact.get("levels") else "predicted"
        rows.append(
            (
                "speed",
                f"{report['inferences_per_second']:,.0f} inferences/s at {report['clock_mhz']:g} MHz, "
                f"latency {latency:,.1f} us ({report['initiation_interval']:,} clocks a result, "
                f"{report['cycles_per_inference']:,} from first input to last output, {measured})",
            )
        )
    if report.get("fmax_mhz"):
        rows.append(("timing", f"closes at {report['fmax_mhz']:.1f} MHz after routing"))
    rows.append(
        (
            "work",
            f"{report['macs']:,} MACs, {100 * (report.get('utilisation') or 0):.0f}% of the multipliers busy",
        )
    )
    used = report["resources"]
    parts = [
        f"{used[r]['used']:,} of {used[r]['available']:,} {r}" for r in RESOURCES if used[r]["available"]
    ]
    rows.append(("takes", ", ".join(parts) + ("" if report.get("fmax_mhz") else " (estimate)")))
    if report.get("bitstream"):
        rows.append(("bitstream", report["bitstream"]))
    return rows


def _table(report: dict[str, Any]) -> str:
    if report.get("multipliers"):
        return _turns(report)
    head = ("layer", "output", "MACs", "folding", "clocks", "busy", "LUT4", "FF", "DSP", "BRAM")
    rows = [head]
    for layer in report["layers"]:
        used = layer["resources"]
        busy = layer["cycles"] / report["initiation_interval"] if report.get("initiation_interval") else 0
        rows.append(
            (
                layer["unit"],
                "x".join(map(str, layer["shape"])),
                f"{layer['macs']:,}" if layer["macs"] else "",
                layer["folding"],
                f"{layer['cycles']:,}",
                f"{100 * busy:.0f}%",
                *(f"{used[r]:,}" for r in ("lut4", "ff", "dsp", "bram")),
            )
        )
    return "\n".join(table(rows, right=set(range(len(head))) - {0, 1, 3}))


def _turns(report: dict[str, Any]) -> str:
    """Layers that take turns on one array: clocks, their share of all, how busy the multipliers are."""
    head = ("layer", "output", "MACs", "clocks", "share", "multipliers busy")
    rows = [head]
    for layer in report["layers"]:
        busy = layer.get("utilisation")
        rows.append(
            (
                layer["unit"],
                "x".join(map(str, layer["shape"])),
                f"{layer['macs']:,}" if layer["macs"] else "",
                f"{layer['cycles']:,}",
                f"{100 * layer['cycles'] / report['predicted']['initiation_interval']:.1f}%",
                f"{100 * busy:.0f}%" if busy else "",
            )
        )
    return "\n".join(table(rows, right=set(range(len(head))) - {0, 1}))


def render_model(facts: dict[str, Any]) -> str:
    """`hwgen inspect` for a person."""
    lines = [
        f"{facts['model']}: {facts['weights']:,} weights, {facts['macs']:,} MACs, exact to {facts['runtime']}"
    ]
    for side in ("inputs", "outputs"):
        for edge in facts[side]:
            shape = "x".join(map(str, edge["shape"]))
            lo, hi = edge["range"]
            lines.append(f"  {side[:-1]:<7} {edge['name']}: {shape} {edge['dtype']}, [{lo}, {hi}] inside")
    rows = [("layer", "kind", "output", "range", "weights", "MACs", "what")]
    for layer in facts["layers"]:
        lo, hi = layer["range"]
        shape = "x".join(map(str, layer["shape"]))
        counts = [f"{layer[key]:,}" if layer[key] else "" for key in ("weights", "macs")]
        rows.append((layer["name"], layer["kind"], shape, f"[{lo}, {hi}]", *counts, layer["what"]))
    lines += ["", *table(rows, right={4, 5})]
    lines += [f"note: {note}" for note in facts.get("notes", ())]
    return "\n".join(lines)
