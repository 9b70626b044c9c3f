"""Files as inputs: what they become, and one clear line for those that do not fit."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hwgen.inputs import Wanted, read, read_all
from hwgen.support.errors import UsageError


def wanted(*shape: int, dtype: str = "int8", **options) -> Wanted:
    return Wanted(shape, np.dtype(dtype), **options)


def sound(path: Path, samples: np.ndarray, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(samples.dtype.itemsize)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    x = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4)
    np.save(path, x)
    for model in (wanted(3, 4), wanted(2, 3, 4), wanted(3, 4, dtype="float32"), wanted(3, 4, dtype="int64")):
        values = read(path, model)
        assert values.dtype == model.dtype and values.shape[1:] == model.shape
        np.testing.assert_array_equal(values.reshape(x.shape), x)
    np.save(path, x.reshape(2, 12))
    assert read(path, wanted(3, 4)).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("values", "model", "message"),
    [
        (np.zeros((2, 5)), wanted(3, 4), r"x.npy: the shape 2 x 5; the model takes 3 x 4"),
        (np.zeros((2, 3)), wanted(3), r"x.npy: float64 numbers; the model takes int8"),
        (np.full(3, 128), wanted(3), r"x.npy: values 128..128; the model takes int8"),
        (np.full(3, -1), wanted(3, dtype="uint8"), r"values -1..-1; the model takes uint8"),
        (np.full(3, np.nan), wanted(3, dtype="float32"), r"values that are not finite"),
        (np.full(3, 1e300), wanted(3, dtype="float32"), r"values that are not finite"),
        (np.zeros((0, 3), dtype=np.int8), wanted(3), r"no inputs"),
        (np.array(["a"]), wanted(1), r"holds no array of numbers"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, values: np.ndarray, model: Wanted, message: str) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / "x.npy", model)


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("1,2, 3,\n-4,5,6\n\n")
    np.testing.assert_array_equal(read(path, wanted(3)), [[1, 2, 3], [-4, 5, 6]])
    np.testing.assert_array_equal(read(path, wanted(2, 3, 1))[0, :, :, 0], [[1, 2, 3], [-4, 5, 6]])
    with pytest.raises(UsageError, match=r"x.csv: rows of 3 numbers; the model takes 4"):
        read(path, wanted(4))
    path.write_text("1,2.5\n")
    np.testing.assert_array_equal(read(path, wanted(2, dtype="float32")), [[1, 2.5]])
    with pytest.raises(UsageError, match="float64 numbers; the model takes int8"):
        read(path, wanted(2))
    path.write_text("one,two\n")
    with pytest.raises(UsageError, match=r"x.csv: cannot be read: could not convert"):
        read(path, wanted(2))


@pytest.mark.parametrize("mode", ("L", "RGB"))
def test_pictures(tmp_path: Path, mode: str) -> None:
    channels = len(mode)
    x = np.random.default_rng(1).integers(0, 256, (5, 6, channels), dtype=np.uint8)
    path = tmp_path / "x.png"
    Image.fromarray(x.squeeze()).save(path)
    plain = {"uint8": x, "int8": x.astype(int) - 128, "float32": (x / 255).astype(np.float32)}
    for dtype, values in plain.items():
        np.testing.assert_array_equal(read(path, wanted(5, 6, channels, dtype=dtype))[0], values)
        first = read(path, wanted(channels, 5, 6, dtype=dtype))[0]
        np.testing.assert_array_equal(first, values.transpose(2, 0, 1))
    scaled = read(path, wanted(5, 6, channels, scale=16 / 255, offset=-3))
    np.testing.assert_array_equal(scaled[0], np.rint(x * (16 / 255) - 3))
    with pytest.raises(UsageError, match=r"6 x 5 pixels; the model takes 8 x 7; give --resize"):
        read(path, wanted(7, 8, channels))
    assert read(path, wanted(7, 8, channels, resize=True)).shape == (1, 7, 8, channels)
    with pytest.raises(UsageError, match="a picture is no input of the shape 5 x 6 x 7"):
        read(path, wanted(5, 6, 7))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UsageError, match=r"x.png: cannot be read"):
        read(path, wanted(5, 6, channels))


def test_sounds(tmp_path: Path) -> None:
    x = np.array([-32768, -1, 0, 32767, 256, 300], dtype="<i2")
    path = sound(tmp_path / "x.wav", x)
    np.testing.assert_array_equal(read(path, wanted(6, dtype="int16"))[0], x)
    np.testing.assert_array_equal(read(path, wanted(6))[0], x >> 8)
    np.testing.assert_array_equal(read(path, wanted(6, dtype="uint8"))[0], (x >> 8) + 128)
    np.testing.assert_array_equal(read(path, wanted(6, dtype="float32"))[0], (x / 32768).astype(np.float32))
    np.testing.assert_array_equal(read(path, wanted(6, scale=0.5, dtype="int16"))[0], np.rint(x * 0.5))
    sound(path, x, channels=2)
    np.testing.assert_array_equal(read(path, wanted(3, 2, dtype="int16"))[0], x.reshape(3, 2))
    sound(path, np.array([0, 128, 255], dtype=np.uint8))
    np.testing.assert_array_equal(read(path, wanted(3))[0], [-128, 0, 127])
    with pytest.raises(UsageError, match=r"x.wav: the shape 1 x 3; the model takes 16000"):
        read(path, wanted(16_000))
    sound(path, np.zeros(3, dtype="<i4"))
    with pytest.raises(UsageError, match="samples of 32 bits; give PCM of 8 or 16 bits"):
        read(path, wanted(3))


def test_several_files_are_a_batch(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3), dtype=np.int8))
    (tmp_path / "b.csv").write_text("4,5,6")
    values, names = read_all([tmp_path / "a.npy", tmp_path / "b.csv"], wanted(3))
    np.testing.assert_array_equal(values, [[1, 1, 1], [1, 1, 1], [4, 5, 6]])
    assert names == ["a.npy[0]", "a.npy[1]", "b.csv"]


def test_a_picture_of_many_bits(tmp_path: Path) -> None:
    """Pillow would make 255 of all that is above."""
    Image.fromarray(np.arange(0, 64000, 4000, dtype=np.uint16).reshape(4, 4)).save(tmp_path / "x.png")
    with pytest.raises(UsageError, match="more than 8 bits"):
        read(tmp_path / "x.png", wanted(4, 4))


def test_an_array_that_claims_too_much(tmp_path: Path) -> None:
    with open(tmp_path / "x.npy", "wb") as file:
        claimed = {"descr": "<f8", "fortran_order": False, "shape": (1 << 44,)}
        np.lib.format.write_array_header_1_0(file, claimed)
    with pytest.raises(UsageError, match=r"x.npy: cannot be read"):
        read(tmp_path / "x.npy", wanted(3))


@pytest.mark.parametrize("name", ("x.npy", "x.csv", "x.wav", "x.png", "x.txt"))
def test_no_file_or_noise(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        read(tmp_path / name, wanted(3, 3))
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(UsageError, match=name):
        read(tmp_path / name, wanted(3, 3))
