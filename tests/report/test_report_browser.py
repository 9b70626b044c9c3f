"""The page in a browser without a window: it is drawn, in both colour schemes, and nothing complains."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from colorsys import hls_to_rgb
from pathlib import Path

import pytest
from PIL import Image

from hwgen.report.layers import colour
from hwgen.report.page import write_page

EVIL = "<script>alert(1)</script>\"'"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium on this machine (Debian: apt install chromium)"
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--enable-logging=stderr", f"--user-data-dir={folder / 'browser'}", *arguments,
         (folder / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert done.returncode == 0 and not complaints, done.stderr
    return done


def painted(text: str) -> tuple[int, ...]:
    """Red, green, blue of a colour in CSS."""
    hue, saturation, lightness = (int(each) for each in re.findall(r"\d+", text))
    return tuple(round(255 * each) for each in hls_to_rgb(hue / 360, lightness / 100, saturation / 100))


def close(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(abs(p - q) <= 3 for p, q in zip(a, b))


@pytest.mark.parametrize(("scheme", "paper", "light"), [(1, (244, 246, 249), True), (0, (18, 22, 30), False)])
def test_drawn(build_folder: Callable, scheme: int, paper: tuple[int, int, int], light: bool) -> None:
    folder = build_folder()
    write_page(folder)
    shot = folder / "shot.png"
    run(
        folder,
        f"--blink-settings=preferredColorScheme={scheme}",
        "--window-size=1280,5200",
        f"--screenshot={shot}",
    )
    picture = Image.open(shot).convert("RGB")
    assert picture.size == (1280, 5200) and close(picture.getpixel((3, 3)), paper)
    seen = [each for count, each in picture.getcolors(1 << 20) if count > 60]
    layers = [painted(colour(number)) for number in range(1, 6)]
    for wanted in (*layers, (47, 111, 222) if light else (106, 161, 255)):  # and the accent
        assert any(close(each, wanted) for each in seen), wanted
    assert len(seen) > 25  # layers, lines, text
    bottom = picture.crop((0, 5000, 1280, 5200)).getcolors()
    assert bottom is not None and len(bottom) == 1  # the page has ended: all of it was seen


def test_hostile_names_stay_text(build_folder: Callable) -> None:
    folder = build_folder([f"{EVIL}{k}" for k in range(6)], model=EVIL)
    write_page(folder)
    tree = run(folder, "--dump-dom").stdout
    assert "<script" not in tree and "&lt;script&gt;alert(1)" in tree
    assert len(re.findall("<section ", tree)) == 7
