"""A serial port through pyserial: USB serial chips, pseudo-terminals, socket:// URLs."""

from __future__ import annotations

import errno
import time
from typing import Any, Protocol

import serial
from serial.tools import list_ports

from hwgen.support.errors import LinkError

_POLL_SECONDS = 0.05
_WRITE_SECONDS = 10.0  # until a piece has been taken: a simulated board is slow
_PIECE = 256


class Transport(Protocol):
    """A byte stream to a device, and the time by which to wait for it."""

    @property
    def name(self) -> str:
        """For messages."""

    def write(self, data: bytes) -> None:
        """Send all of it. LinkError if it cannot be sent."""

    def read(self, seconds: float) -> bytes:
        """What has arrived; if nothing, wait that long for it. LinkError if the port is gone."""

    def now(self) -> float:
        """Seconds, from any time on."""

    def close(self) -> None:
        """Give the port back."""


class SerialPort:
    """`Transport` of a port by name or pyserial URL. LinkError: it cannot be opened; says what there are."""

    def __init__(self, name: str, baud: float) -> None:
        self.name = name
        try:
            self._port = serial.serial_for_url(
                name, baudrate=round(baud), timeout=_POLL_SECONDS, write_timeout=_WRITE_SECONDS
            )
        except (OSError, ValueError) as error:  # pyserial's errors are OSErrors
            raise _refused(name, error) from error

    def write(self, data: bytes) -> None:
        """See `Transport`."""
        try:
            for at in range(0, len(data), _PIECE):
                self._port.write(data[at : at + _PIECE])
            self._port.flush()
        except serial.SerialTimeoutException as error:
            raise LinkError("takes no more bytes", where=self.name, hint="is the board there?") from error
        except OSError as error:
            raise self._gone(error) from error

    def read(self, seconds: float) -> bytes:
        """See `Transport`."""
        until = time.monotonic() + seconds
        try:
            while True:
                data: bytes = self._port.read(max(1, self._port.in_waiting))
                if data or time.monotonic() >= until:
                    return data
        except (OSError, TypeError) as error:  # TypeError: closed by another thread
            raise self._gone(error) from error

    def now(self) -> float:
        """See `Transport`."""
        return time.monotonic()

    def close(self) -> None:
        """See `Transport`."""
        self._port.close()

    def _gone(self, error: Exception) -> LinkError:
        return LinkError(f"the port is gone: {error}", where=self.name, hint="was the board unplugged?")


def ports() -> list[str]:
    """Serial ports of this computer with what is known of them: "/dev/ttyUSB0 (FTDI FT231X)"."""
    return [_described(port) for port in _usb_first()]


def only_port() -> str:
    """The one USB serial port that there is. LinkError, listing what there is, if it is not one."""
    found = [port.device for port in _usb_first() if port.vid is not None]
    if len(found) == 1:
        return str(found[0])
    what = "several USB serial ports" if found else "no USB serial port"
    raise LinkError(f"there is {what}", hint=f"say which one: {_there_are()}")


def _usb_first() -> list[Any]:
    return sorted(list_ports.comports(), key=lambda port: (port.vid is None, port.device))


def _described(port: Any) -> str:
    what = " ".join(word for word in (port.manufacturer, port.product) if word)
    return f"{port.device} ({what})" if what else str(port.device)


def _there_are() -> str:
    known = ports()
    return (
        f"there are {', '.join(known[:12])}" if known else "this computer has none; is the board plugged in?"
    )


def _refused(name: str, error: Exception) -> LinkError:
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return LinkError("no such serial port", where=name, hint=_there_are())
        case errno.EACCES | errno.EPERM:
            hint = "add yourself to its group (usually dialout or uucp), then log in again"
            return LinkError("you may not use this port", where=name, hint=hint)
        case errno.EBUSY:
            return LinkError("another program uses this port", where=name, hint="close it")
        case _:
            return LinkError(f"cannot be opened: {error}", where=name, hint=_there_are())
