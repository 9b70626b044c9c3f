"""The page: strict HTML, nothing that loads or runs, every text of the model as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pagereader import Page

from hwgen.flow.placement import KINDS
from hwgen.report.page import page, write_page
from hwgen.support.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits" / "digits.tflite"
EVIL = "<script>alert(1)</script>\"'"
SECTIONS = ("graph", "layers", "time", "roofline", "timing", "device", "certificate")
FORBIDDEN = {
    "script",
    "link",
    "img",
    "iframe",
    "object",
    "embed",
    "base",
    "form",
    "foreignobject",
    "use",
    "image",
}


def read(folder: Path) -> Page:
    """The page, read strictly; nothing in it loads or runs anything."""
    source = page(folder)
    read = Page(source)
    assert not FORBIDDEN & {name for name, _ in read.tags}
    for _, attributes in read.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")
        ]
        assert attributes.get("href", "#").startswith("#")
        assert "url(" not in attributes.get("style", "")
    policy = [has["content"] for name, has in read.tags if has.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "://" not in source and "url(" not in read.styles and "@import" not in read.styles
    assert "{{" not in source and "{%" not in source
    return read


def sections(read: Page) -> tuple[str, ...]:
    return tuple(has["id"] for name, has in read.tags if name == "section")


@pytest.mark.parametrize("engine", ["stream", "systolic"])
def test_all_sections(build_folder: Callable, engine: str) -> None:
    seen = read(build_folder(engine=engine))
    assert sections(seen) == SECTIONS
    layers = 5  # a reshape is no layer
    assert seen.count("text", class_="no") == layers
    assert seen.count("path", class_="edge") == 6  # input, chain, the edge around a layer
    assert "133.0" in seen.text and "made <up> on ulx3s-85f" in seen.text
    assert "0 of 4,000 differ" in seen.text and "verilator 5.0" in seen.text
    assert ("on the host" in seen.text) == (engine == "systolic")


@pytest.mark.parametrize(
    ("without", "changed", "missing"),
    [
        (("profile.json",), {}, ()),
        (("manifest.json",), {}, ("roofline",)),
        (("certificate.json",), {}, ()),
        (("pnr/placement.json",), {}, ("device",)),
        ((), {"fmax_mhz": None, "critical_steps": []}, ("timing", "device")),
        ((), {"exact": {"levels": [], "samples": 0, "integers": 0, "mismatches": 0}}, ()),
        ((), {"fmax_mhz": 80.0, "bitstream": None}, ()),
        ((), {"board": "a board that is gone"}, ()),
    ],
)
@pytest.mark.parametrize("engine", ["stream", "systolic"])
def test_what_is_not_known(
    build_folder: Callable, engine: str, without: tuple, changed: dict, missing: tuple
) -> None:
    seen = read(build_folder(engine=engine, without=without, **changed))
    assert sections(seen) == tuple(each for each in SECTIONS if each not in missing)
    if "levels" in changed.get("exact", {}):
        assert "not verified yet" in seen.text and "33333" not in seen.text


def test_measured_beside_predicted(build_folder: Callable) -> None:
    text = " ".join(read(build_folder()).text.split())
    assert "50%, predicted 33%; waits 30% in, 20% out" in text
    assert "17%, predicted 17%; waits 0% in, 83% out" in text  # by the unit's name
    assert "in 6,000 clocks" in text


@pytest.mark.parametrize("nested", [False, True])
def test_predicted_stalls(build_folder: Callable, nested: bool) -> None:
    folder = build_folder()
    profile = json.loads((folder / "profile.json").read_text())
    units = {"b": {"busy": 2400, "input": 3000, "output": 600}}
    profile["predicted"] = {"units": units, "clocks": 6000} if nested else units
    (folder / "profile.json").write_text(json.dumps(profile))
    text = " ".join(read(folder).text.split())
    assert "50%, predicted 40%; waits 30% in, 20% out, predicted 50% and 10%" in text


@pytest.mark.parametrize("engine", ["stream", "systolic"])
@pytest.mark.parametrize(
    "name",
    [EVIL, "</title></style></svg>" + EVIL, "x" * 5000, "{{ 7 * 7 }}{% raw %}", "&lt;b&gt;&amp;",
     "nul\0 esc\x1b right-to-left\u202e lone\ud800 del\x7f", "javascript:alert(1)", "層" * 300],
)  # fmt: skip
def test_hostile_names(build_folder: Callable, engine: str, name: str) -> None:
    names = [f"{name}{k}" for k in range(6)]
    folder = build_folder(names, engine=engine, model=name)
    source = page(folder)
    Page(source)
    assert "<script" not in source and not re.search("[\0-\x08\x0b-\x1f\x7f\u202e\ud800-\udfff]", source)
    if name == EVIL:
        seen = read(folder)
        assert all(each in seen.text for each in names if each != names[3])  # a reshape is no layer
        assert source.count("&lt;script&gt;") > 10
    if name.startswith("{{"):
        assert "{{ 7 * 7 }}" in source and "49" not in re.sub(r"[\d.]+ ?[\d.]*", "", source)
    source.encode()


def test_a_full_large_chip_stays_small(build_folder: Callable) -> None:
    """No tile like its neighbours, many layers: still below 2 MB."""
    folder = build_folder()
    owners = ["core.l00_conv", "core.l01_conv", "core.l02_add", "core.l03_conv", "link"]
    parts: dict[str, list] = {owner: [] for owner in owners}
    for y in range(96):
        for x in range(127):
            parts[owners[(3 * x + 5 * y) % 5]].append(
                [x, y, 8 if (x ^ y) & 1 else 1, 8, 0, int(x % 9 == 0), 0, 0]
            )
    content = {
        "device": "LFE5U-85F",
        "width": 127,
        "height": 96,
        "up": False,
        "kinds": list(KINDS),
        "parts": parts,
    }
    (folder / "pnr" / "placement.json").write_text(json.dumps(content))
    path = write_page(folder)
    assert path == folder / "report.html" and 50_000 < path.stat().st_size < 2_000_000


def test_no_report_and_a_damaged_one(build_folder: Callable, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no report here"):
        page(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(UsageError, match="no report here"):
        page(tmp_path)
    with pytest.raises(UsageError, match="do not fit together"):
        page(build_folder(layers=[{"name": "a", "cycles": "many"}]))


@pytest.mark.parametrize(("engine", "board"), [("stream", "ulx3s-85f"), ("systolic", "icebreaker")])
def test_command(hwgen_command: Callable, tmp_path: Path, engine: str, board: str) -> None:
    """What `generate` leaves of a real model is enough for a page."""
    fps = ["--fps", "5000"] if engine == "stream" else []
    out = tmp_path / "core"
    model = DIGITS if engine == "stream" else DIGITS.with_name("digits_mobile.tflite")
    code, _, complaint = hwgen_command(
        "generate", model, "--board", board, "--engine", engine, *fps, "-o", out
    )
    assert code == 0, complaint
    code, text, note = hwgen_command("report", out)
    assert code == 0 and "not verified yet" in text and str(out / "report.html") in note
    seen = read(out)
    assert sections(seen) == ("graph", "layers", "time", "roofline", "certificate")
    assert "intk, 8 bit" in seen.text
    known = json.loads((out / "report.json").read_text())
    assert seen.count("text", class_="no") == len(known["layers"]) + len(known.get("host", []))
    other = tmp_path / "other.html"
    (out / "report.html").unlink()
    code, text, _ = hwgen_command("report", out, "--html", other, "--json")
    assert code == 0 and json.loads(text) == known
    assert other.exists() and not (out / "report.html").exists()
    code, _, complaint = hwgen_command("report", out, "--html", "/proc/no/such.html")
    assert code == 2 and "cannot be written" in complaint and complaint.count("\n") == 1
