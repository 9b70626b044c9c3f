"""`python -m bench codes`: every column the table promises, its document, its picture; its check can fail."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import code_exact, codes
from bench.code_cases import ACTIVATIONS, WEIGHTS, cases
from hwgen.hw.product.bipolar import BipolarForm
from hwgen.targets import ECP5

DOCS = Path(__file__).resolve().parent.parent / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def test_table_document_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    codes.run(
        [
            "--family",
            "ecp5",
            "ice40",
            "--weights",
            "bipolar",
            "--activations",
            "1",
            "8",
            "--write",
            str(tmp_path),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    heads = [line.split() for line in lines if line.startswith("weights")]
    assert len(heads) == 2
    assert {"structure", "LUT4", "FF", "DSP", "MHz", "LUT4/op", "Gop/s", "pJ/op", "exact"} <= set(heads[0])
    found = [line for line in lines if line.startswith("bipolar")]
    assert len(found) > 10 and all("  yes " in line for line in found)
    text = (tmp_path / "codes.md").read_text()
    assert "## ecp5" in text and "## ice40" in text and "codes.svg" in text
    picture = ElementTree.fromstring((tmp_path / "codes.svg").read_text())
    assert len(picture.findall(f".//{SVG}g/{SVG}title")) == 2
    assert len(picture.findall(f".//{SVG}circle")) == 2  # both are routed


def test_operations_a_second_and_energy() -> None:
    case, cost = cases("bipolar", "8", 8, 8, ECP5)[0]
    cells = dict(zip(codes.HEAD, codes.Row(case, 0, cost, (250.0, 200.0), "").cells()))
    assert cells["MHz"] == "250/200" and cells["Gop/s"] == "12.8" and cells["ROM bits"] == "1.0"
    # 128 terms of +-255: 16 bits; 3.1 of 1 x 8 bits, 0.1 of the sum, 5 of the weight's bit
    assert case.picojoules == pytest.approx(3.1 * 8 / 1024 + 0.1 * 16 / 32 + 5 / 32)


def test_a_wrong_form_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = BipolarForm.encode
    assert code_exact.exact.__wrapped__("bipolar", "8", "bipolar")
    monkeypatch.setattr(BipolarForm, "encode", lambda self, weights: encode(self, -weights))
    assert not code_exact.exact.__wrapped__("bipolar", "8", "bipolar")


def test_the_document_has_all_weights() -> None:
    text = (DOCS / "codes.md").read_text()
    assert all(f"\n| {weights} |" in text for weights in WEIGHTS) and set(codes.DEFAULT) <= set(ACTIVATIONS)
    ElementTree.fromstring((DOCS / "codes.svg").read_text())
