"""A board with a network on it, as a Python object: `hwgen.Device("/dev/ttyUSB0", "build/kws").run(x)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwgen.emit.payloads import Payloads
from hwgen.runtime.classes import Scored, read_labels, top
from hwgen.runtime.connection import RETRIES, TIMEOUT, Connection
from hwgen.runtime.link import BAUD, IDENTITY_BYTES, WORD_BYTES, Counters, Identity, Request
from hwgen.runtime.serialport import Transport, only_port
from hwgen.support.errors import LinkError, UsageError
from hwgen.support.progress import Progress, silent

LABELS = "labels.txt"
_ASKING = 3  # tries of the first question: a port without a board is soon found out
_POLL_SECONDS = 0.02
_LATER = 4  # an inference may take as many times the planned interval: a pipeline is longer than its interval


class Device:
    """A programmed board.

    port: serial port or pyserial URL, or a `Transport`; None: the only USB serial port that there is. folder:
    the build folder of what it runs: needed for `run`, and the board is checked to run just that. baud: that
    of the folder's design, or 1 Mbaud. timeout, retries: see `Connection`. labels: of classes; else
    labels.txt of the folder, if it is there. LinkError: no such port, no answer, or another design on the
    board.

    All methods may be called from any thread; requests go one after the other.
    """

    def __init__(
        self,
        port: str | Transport | None = None,
        folder: str | Path | None = None,
        *,
        baud: float | None = None,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        labels: Sequence[str] | None = None,
    ) -> None:
        self._payloads = None if folder is None else Payloads.of(folder)
        self.labels: Sequence[str] = labels if labels is not None else _labels(folder)
        if baud is None:
            baud = self._payloads.baud if self._payloads else BAUD
        self._lock = RLock()
        self._busy = False  # a batch is under way: its requests are on the line
        self._worker: ThreadPoolExecutor | None = None
        self._connection = Connection(
            only_port() if port is None else port, baud=baud, timeout=timeout, retries=min(retries, _ASKING)
        )
        try:
            self.identity = self._identify()
            self._connection.retries = retries
            if self._payloads is not None:
                self._check(self._payloads)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back, when what has been asked is done."""
        if self._worker is not None:
            self._worker.shutdown()
        self._connection.close()

    @property
    def connection(self) -> Connection:
        """The line: what was sent again."""
        return self._connection

    def run(self, x: ArrayLike, *, progress: Progress = silent) -> NDArray:
        """Outputs of the model for its inputs: arrays of the model's own types and shapes.

        x: a batch (batch first), answered by a batch, or one sample, answered by one. progress: is told the
        share of the batch that is done. UsageError: not what the model takes. LinkError: no good answer in
        spite of all retries; nothing is wrong with those before.
        """
        return self._run(x, progress)

    def run_async(self, x: ArrayLike, *, progress: Progress = silent) -> Future[NDArray]:
        """`run` while the caller goes on; asyncio.wrap_future makes the result awaitable."""
        with self._lock:
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, "hwgen-device")
        return self._worker.submit(self._run, x, progress)

    def run_bytes(self, payloads: Iterable[bytes]) -> Iterator[bytes]:
        """Answers' payloads to RUN payloads, as they come. UsageError: a payload of another size, or a
        request from within the batch."""
        known = self.identity
        seconds = 0.0
        if self._payloads is not None and known.clock:
            seconds = _LATER * self._payloads.clocks / known.clock
        checked = (_sized(payload, known.inputs) for payload in payloads)
        with self._lock:
            self._idle()
            self._busy = True
            try:
                yield from self._connection.requests(
                    Request.RUN, checked, answer=known.outputs, seconds=seconds, queue=known.queue
                )
            finally:
                self._busy = False

    def top(self, scores: ArrayLike, count: int = 5) -> list[list[Scored]]:
        """The best classes of each sample of a batch of outputs, with their labels."""
        return [top(row, count, self.labels) for row in np.asarray(scores)]

    def status(self) -> Counters:
        """Whether there is a program; counters."""
        answer = WORD_BYTES * self.identity.words
        return Counters.from_bytes(self._ask(Request.STATUS, answer))

    def reset(self, *, seconds: float = 10.0) -> None:
        """Start the board's core anew; a systolic engine loads the program that its flash holds now.

        `identity` is that of the new program then. seconds: to wait until it is loaded. LinkError: it is not.
        """
        self._ask(Request.RESET, 0)
        now = self._connection.now
        until = now() + seconds
        while not self.status().ready:
            if now() > until:
                raise LinkError(
                    f"no good program {seconds:g} s after a reset", where=self._connection.name,
                    hint="write it with `hwgen flash`",
                )  # fmt: skip
            with self._lock:
                self._connection.pause(_POLL_SECONDS)
        self.identity = self._identify()
        if self._payloads is not None:
            self._check(self._payloads)

    def _run(self, x: ArrayLike, progress: Progress) -> NDArray:
        if self._payloads is None:
            raise UsageError(
                "what the board's bytes mean is not known", where="Device", hint="give the folder"
            )
        array = np.asarray(x)
        single = array.shape == self._payloads.entry.shape
        inputs = self._payloads.enter(array[np.newaxis] if single else array)
        given = []
        for answer in self.run_bytes(inputs):
            given.append(answer)
            progress("running on the board", len(given) / len(inputs))
        outputs = self._payloads.leave(given)
        return outputs[0] if single else outputs

    def _ask(self, code: Request, answer: int) -> bytes:
        with self._lock:
            self._idle()
            return self._connection.request(code, answer=answer)

    def _idle(self) -> None:
        """UsageError while this thread is in the middle of a batch."""
        if self._busy:
            raise UsageError("a batch is under way; ask after it, or from another thread", where="Device")

    def _identify(self) -> Identity:
        return Identity.from_bytes(self._ask(Request.IDENTIFY, IDENTITY_BYTES))

    def _check(self, wanted: Payloads) -> None:
        """LinkError unless the board runs what is in the folder."""
        known, where = self.identity, self._connection.name
        hint = f"hwgen flash {wanted.folder}"
        if known.engine is not wanted.engine:
            engine = known.engine.name.lower()
            raise LinkError(
                f"the board has the {engine} engine, the folder is for another", where=where, hint=hint
            )
        if known.design_id == 0 and known.inputs == 0:
            raise LinkError("the board has no good program", where=where, hint=hint)
        if known.design_id != wanted.design_id:
            what = f"the board runs design {known.design_id:08x}, the folder has {wanted.design_id:08x}"
            raise LinkError(what, where=where, hint=hint)
        if (known.inputs, known.outputs) != (wanted.inputs, wanted.outputs):
            sizes = (
                f"{known.inputs} and {known.outputs} bytes, the folder {wanted.inputs} and {wanted.outputs}"
            )
            raise LinkError(f"the board takes and gives {sizes}", where=where, hint=hint)


def _sized(payload: bytes, size: int) -> bytes:
    if len(payload) != size:
        raise UsageError(f"an input has {size} bytes, not {len(payload)}", where="Device")
    return payload


def _labels(folder: str | Path | None) -> Sequence[str]:
    path = None if folder is None else Path(folder) / LABELS
    return read_labels(path) if path is not None and path.is_file() else ()
