"""A design's board in a simulator: the same runtime talks to it as to the real one."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from hwgen.emit.board_frame import BoardFrame
from hwgen.emit.board_top import to_verilog
from hwgen.hw.link.uart import divisor
from hwgen.simulation import shell
from hwgen.simulation.build import build
from hwgen.simulation.process import SimulatorProcess
from hwgen.support.errors import ToolError
from hwgen.support.files import write_atomic
from hwgen.support.progress import Progress

BIT = 8  # clocks of a bit on the simulated line: few, for most clocks would only wait for it
IDLE = 20_000  # clocks of the device's idle time: some ten milliseconds, in which a host surely goes on
_SLACK = 4  # the simulator may be as many times slower than it was: other programs run, too


class Pace(NamedTuple):
    """Arguments of `hwgen.Device`, which waits in seconds, for a simulated board's slowness."""

    baud: float
    timeout: float


class SimulatedDesign(Protocol):
    """What `SimulatedBoard` needs of a design (`hwgen.design.Design`)."""

    folder: Path

    @property
    def progress(self) -> Progress: ...

    @property
    def name(self) -> str: ...

    @property
    def image(self) -> bytes | None: ...

    def top(self, *, baud: float | None = None, idle_seconds: float = ...) -> BoardFrame: ...


class SimulatedBoard:
    """Context manager: builds the simulator of a design's board, starts it, ends it.

    The board's top is the one that is placed and routed: PLL, UART, link, core, and the flash's pins, with
    models of the vendor's cells and of the flash (sim/models). Two parameters differ: a bit of the serial
    line is `BIT` clocks long, and the link's idle time `idle` clocks. The PLL's clock is simulated, not the
    oscillator's; its model checks its dividers.

    design: see `SimulatedDesign`. baud: of the serial line; None: a bit of `BIT` clocks. seed: of what a
    register or a memory without initial value holds. ToolError: no Verilator, no compiler, or one failed.

    port: path of the pseudo-terminal, for pyserial at any baud rate. It stays while hosts come and go.
    Nothing is simulated, and no time is taken, while the line is idle and the board is not busy.
    """

    def __init__(
        self, design: SimulatedDesign, *, baud: float | None = None, idle: int = IDLE, seed: int = 1
    ) -> None:
        self.design, self.idle, self.seed = design, idle, seed
        self.clock_hz = design.top().clock_hz
        self.baud = self.clock_hz / BIT if baud is None else baud
        self.bit = divisor(self.clock_hz, self.baud)
        self.folder = Path(design.folder) / "simulation"
        self._argv: list[str] = []
        self._process: SimulatorProcess | None = None

    def build(self) -> bool:
        """Make the simulator if it is not there; True if it was not."""
        design = self.design
        top = design.top(baud=self.baud, idle_seconds=self.idle / self.clock_hz)
        design.progress("writing the board's top", None)
        around = shell.shell(top, design.name, design.image)
        program, anew = build(to_verilog(top), around, self.folder, progress=design.progress)
        if design.image is not None:
            write_atomic(self.folder / shell.IMAGE_FILE, shell.flash_text(design.image))
        self._argv = [str(program), *shell.arguments(top, self.bit, self.seed)]
        return anew

    def __enter__(self) -> Self:
        if not self._argv:
            self.build()
        self.design.progress("starting the simulated board", None)
        self._process = SimulatorProcess(self._argv, self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    @property
    def port(self) -> str:
        """Path of the pseudo-terminal."""
        return self._running.port

    def clocks(self) -> int:
        """Simulated clocks of the PLL since the board's power came on."""
        return int(self._running.command("clocks", "clocks")[0])

    def clocks_per_second(self) -> float:
        """Speed of the simulation so far, by processor time."""
        clocks, seconds = self._running.command("clocks", "clocks")
        return int(clocks) / max(float(seconds), 1e-6)

    def pace(self, clocks: int = 0) -> Pace:
        """How a host has to wait for this board. clocks: planned for an inference."""
        speed = self.clocks_per_second() / _SLACK
        return Pace(speed / self.bit, 1 + _SLACK * (clocks + self.idle) / speed)

    def power_cycle(self) -> None:
        """Switch the board off and on again, whatever is under way; the port stays."""
        self._running.command("cycle", "cycled")

    def settle(self) -> None:
        """Wait until the line is idle and the board is not busy: nothing that was sent is still under way."""
        self._running.command("settle", "settled")

    def check(self) -> None:
        """ToolError if the simulator has ended."""
        self._running.check()

    @property
    def _running(self) -> SimulatorProcess:
        if self._process is None:
            raise ToolError("is not running", where="simulated board", hint="use it in a with statement")
        return self._process
