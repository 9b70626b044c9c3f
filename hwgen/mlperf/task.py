"""The benchmark's tasks: which bytes the runner sends, and which numbers it wants back.

Source: mlcommons/tiny, benchmark/reference_submissions (what each reference does with its `db` buffer and its
outputs) and benchmark/runner (what is made of the results).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwgen.frontend.tflite_schema import parse
from hwgen.golden.edges import dequantise, quantise
from hwgen.ir.tensor import Affine, Tensor
from hwgen.numeric.ranges import Range
from hwgen.support.errors import UsageError


@dataclass(frozen=True)
class Task:
    """model: its name in the benchmark. shape: of an input. sent: type of the input's elements on the line.
    results: numbers of an answer."""

    model: str
    title: str
    shape: tuple[int, ...]
    sent: str
    results: int

    @property
    def bytes(self) -> int:
        """Of an input."""
        return int(np.prod(self.shape)) * np.dtype(self.sent).itemsize


TASKS = {
    task.model: task
    for task in (
        Task("kws01", "keyword spotting", (49, 10, 1), "<i1", 12),
        Task("ic01", "image classification", (32, 32, 3), "<u1", 10),
        Task("vww01", "visual wake words", (96, 96, 3), "<u1", 2),
        Task("ad01", "anomaly detection", (640,), "<f4", 1),
    )
}
_INT8 = Range(-128, 127)


@dataclass(frozen=True)
class Model:
    """A task's model file: what of an input's bytes goes in, and what of its output is answered.

    The models are int8 at both ends, as the benchmark's references: keywords come as int8, pictures as
    uint8 (x - 128 goes in), spectra as float32 (quantised). Classes are answered as probabilities; of an
    anomaly detector's reconstruction the mean square of its distance to the input.
    """

    task: Task
    shape: tuple[int, ...]
    inward: Affine
    outward: Affine

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Model:
        """Of a .tflite file. name: of the task; None: the one whose input has that many elements.

        UsageError: a file of another kind, or one that is not the task's.
        """
        if path.suffix.lower() != ".tflite":
            raise UsageError("the benchmark's models are .tflite files", where=str(path))
        file = parse(path.read_bytes())
        given, made = file.inputs[0], file.outputs[0]
        fitting = [task for task in TASKS.values() if int(np.prod(task.shape)) == int(np.prod(given.shape))]
        if name is not None:
            fitting = [task for task in fitting if task.model == name]
        if not fitting:
            known = ", ".join(f"{task.model} {task.shape}" for task in TASKS.values())
            raise UsageError(
                f"no task has inputs of {given.shape[1:]}", where=str(path), hint=f"there are {known}"
            )
        task = fitting[0]
        count = int(np.prod(made.shape))
        wanted = int(np.prod(task.shape)) if task.model == "ad01" else task.results
        if (given.dtype, made.dtype) != ("INT8", "INT8") or count != wanted:
            raise UsageError(
                f"{task.model} is int8 in and {wanted} int8 out, not {given.dtype} in and {count} "
                f"{made.dtype} out",
                where=str(path),
            )
        return cls(task, tuple(given.shape[1:]), _affine(given), _affine(made))

    def enter(self, data: bytes) -> NDArray[np.int8]:
        """The model's input of a whole `db` buffer. UsageError: another number of bytes."""
        if len(data) != self.task.bytes:
            raise UsageError(f"an input of {self.task.model} has {self.task.bytes} bytes, not {len(data)}")
        x = np.frombuffer(data, self.task.sent).reshape(self.shape)
        if x.dtype == np.uint8:
            return (x.astype(np.int16) - 128).astype(np.int8)
        if x.dtype.kind == "f":
            return quantise(self.inward, Tensor("input", (1, 1, x.size), _INT8), x).astype(np.int8)
        return x.astype(np.int8)

    def leave(self, data: bytes, y: NDArray) -> list[float]:
        """What `results` says of the model's output for the input `data`."""
        values = dequantise(self.outward, y.reshape(-1).astype(np.int64))
        if self.task.model == "ad01":
            distance = values - np.frombuffer(data, self.task.sent)
            return [float(np.mean(distance * distance))]
        return [float(value) for value in values]


def _affine(operand: object) -> Affine:
    scales, zeros = getattr(operand, "scales"), getattr(operand, "zero_points")  # noqa: B009
    if len(scales) != 1:
        raise UsageError("the model's input or output has no scale", where="mlperf")
    return Affine(float(scales[0]), int(zeros[0]) if len(zeros) else 0, "away")
