"""Retrained weights into a finished design: the bitstream's block RAMs, or the image in the board's flash.

The hardware stays as it was routed. Everything is checked before the build folder is changed: that the model
is of the same architecture and fits the hardware, that the RTLIL of its board top is the built one's but for
the contents of block RAMs, and that the routed configuration holds what was built. The build folder is then
the new model's, without a certificate until it is verified.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from hwgen import pipeline, report
from hwgen.design import RECORD, Design
from hwgen.emit import board_top
from hwgen.flow import patch as blocks
from hwgen.flow import pnr
from hwgen.flow.placement import PLACEMENT
from hwgen.support.errors import UnsupportedError, UsageError
from hwgen.support.files import copy_atomic, write_atomic
from hwgen.support.progress import Progress, silent
from hwgen.systolic import SystolicDesign


def patch(
    folder: str | Path, model: str | Path, *, verify: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Put the weights of `model` into the build folder's bitstream or image.

    verify: simulate the patched design with so many random inputs, for a certificate. Returns the report,
    with `patch`: the file, the block RAMs, how many changed, seconds. UsageError: no bitstream, or one that
    cannot be patched. UnsupportedError: `model` is another architecture, or does not fit the hardware.
    """
    started, folder, model = time.monotonic(), Path(folder), Path(model)
    name = _name_of_model(folder, model)
    work = Path(tempfile.mkdtemp(prefix=".patch-", dir=folder))
    try:
        design = pipeline.reopen(folder, model=_staged(model, work / name), progress=progress)
        built = report.read(folder)
        if not built.get("bitstream"):
            raise UsageError("no bitstream here", where=str(folder), hint="run `hwgen build` first")
        made: list[tuple[Path, Path]] = []
        if isinstance(design, SystolicDesign):
            facts = _image(design)
        else:
            facts, made = _bitstream(design, work, progress)
        (folder / "certificate.json").unlink(missing_ok=True)  # before what it is about is another one
        for source, target in made:
            copy_atomic(source, target)
        result = design.patched(built)
        facts |= {"model": model.name, "seconds": round(time.monotonic() - started, 1)}
        if verify is not None:
            reopened = pipeline.reopen(folder, progress=progress)
            result = reopened.verify(samples=verify)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {**result, "patch": facts}


def _name_of_model(folder: Path, model: Path) -> str:
    """Name of the file that `model` replaces."""
    try:
        name = str(json.loads((folder / RECORD).read_text())["model"])
        if Path(name).name != name:
            raise ValueError("a path")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError("is no build folder", where=str(folder), hint="run `hwgen build` first") from error
    if "".join(Path(name).suffixes[-2:]).lower() not in model.name.lower():
        raise UsageError(f"is not of the kind of {name}, which was built", where=str(model))
    return name


def _staged(model: Path, target: Path) -> Path:
    """The model under the name of the one that it replaces: names of files and modules stay."""
    try:
        shutil.copyfile(model, target)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(model)) from error
    return target


def _image(design: SystolicDesign) -> dict[str, Any]:
    """The systolic engine's weights are in the image that `generate` writes."""
    source = design.folder / "rtl" / f"{design.name}.v"
    if not source.exists() or source.read_text() != design.verilog:
        raise UsageError(
            "the array is not the one that was built", where=str(design.folder), hint="build again"
        )
    return {"blocks": 0, "changed": 0, "image_bytes": len(design.image or b"")}


def _bitstream(
    design: Design, work: Path, progress: Progress
) -> tuple[dict[str, Any], list[tuple[Path, Path]]]:
    """The block RAMs of a stream design: facts, and new files with the places where they belong."""
    made, family = design.folder / "pnr", design.board.toolchain
    progress("comparing the hardware", None)
    text = board_top.to_rtlil(design.top())
    old, new = (blocks.read(each, board_top.TOP) for each in ((made / "top.il").read_text(), text))
    module = blocks.difference(old, new)
    if module is not None:
        place = module.removeprefix(f"{board_top.TOP}.").split(".")
        raise UnsupportedError(
            [f"{design.place(place)}: its hardware depends on more than weights that can be exchanged"],
            where=design.net.name, hint="build it (or was this built with another version of hwgen?)",
        )  # fmt: skip
    sections = blocks.sections(made / PLACEMENT)
    config = work / family.config
    write_atomic(config, blocks.filled((made / family.config).read_text(), sections, old, new))
    packed = pnr.pack(config, work, family, progress=progress)
    write_atomic(work / "top.il", text)
    changed = sum(old.contents[name] != content for name, content in new.contents.items())
    return {"blocks": len(new.contents), "changed": changed}, [
        (work / "top.il", made / "top.il"),
        (config, made / family.config),
        (packed, made / family.bitstream),
        (packed, (design.folder / family.bitstream).with_stem(design.name)),
    ]
