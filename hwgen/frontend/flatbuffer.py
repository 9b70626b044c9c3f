"""Reads flatbuffers from untrusted bytes: every offset and length is checked before it is used.

Layout (flatbuffers.dev, "FlatBuffer internals"): a table starts with an int32 back to its vtable;
the vtable lists, per field, the offset within the table (0: absent, take the default). Vectors and
strings are an unsigned 32-bit count and the elements. Everything is little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hwgen.support.errors import ModelError

_SCALARS = {
    "bool": struct.Struct("<?"),
    "i8": struct.Struct("<b"),
    "u8": struct.Struct("<B"),
    "i32": struct.Struct("<i"),
    "u32": struct.Struct("<I"),
    "f32": struct.Struct("<f"),
    "i64": struct.Struct("<q"),
    "u64": struct.Struct("<Q"),
}
_U16, _U32, _I32 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<i")


class Bytes:
    """A buffer whose reads raise ModelError instead of leaving it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, form: struct.Struct, position: int) -> int | float | bool:
        """One scalar."""
        if position < 0 or position + form.size > len(self.data):
            raise ModelError(f"file points to byte {position} of {len(self.data)}", hint="it is truncated")
        return form.unpack_from(self.data, position)[0]

    def offset(self, position: int) -> int:
        """Follow the unsigned offset stored at `position`."""
        return position + int(self.read(_U32, position))

    def vector(self, position: int, size: int) -> tuple[int, int]:
        """(position of the first element, count) of the vector at `position` with `size` byte elements."""
        count = int(self.read(_U32, position))
        if position + 4 + count * size > len(self.data):
            raise ModelError(f"a list of {count} elements leaves the file", hint="it is truncated or damaged")
        return position + 4, count


class Table:
    """One flatbuffer table; fields are named by their index in the schema."""

    def __init__(self, buffer: Bytes, position: int) -> None:
        self.buffer, self.position = buffer, position
        self._vtable = position - int(buffer.read(_I32, position))
        self._size = int(buffer.read(_U16, self._vtable))

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The root table of a file."""
        buffer = Bytes(data)
        return cls(buffer, buffer.offset(0))

    def _field(self, index: int) -> int | None:
        """Position of a field's value; None where it is absent."""
        entry = 4 + 2 * index
        if entry + 2 > self._size:
            return None
        offset = int(self.buffer.read(_U16, self._vtable + entry))
        return self.position + offset if offset else None

    def scalar(self, index: int, kind: str, default: int | float | bool = 0) -> int | float | bool:
        """A scalar field."""
        position = self._field(index)
        return default if position is None else self.buffer.read(_SCALARS[kind], position)

    def integer(self, index: int, kind: str, default: int = 0) -> int:
        """An integer field."""
        return int(self.scalar(index, kind, default))

    def table(self, index: int) -> Table | None:
        """A sub-table."""
        position = self._field(index)
        return None if position is None else Table(self.buffer, self.buffer.offset(position))

    def tables(self, index: int, limit: int, what: str) -> Iterator[Table]:
        """A vector of tables, at most `limit`."""
        position = self._field(index)
        if position is None:
            return
        start, count = self.buffer.vector(self.buffer.offset(position), 4)
        if count > limit:
            raise ModelError(f"{count} {what} are more than the {limit} that hwgen reads")
        for i in range(count):
            yield Table(self.buffer, self.buffer.offset(start + 4 * i))

    def array(self, index: int, dtype: str) -> NDArray:
        """A vector of numbers as an array (empty where absent)."""
        position = self._field(index)
        kind = np.dtype(dtype).newbyteorder("<")
        if position is None:
            return np.zeros(0, dtype=kind)
        start, count = self.buffer.vector(self.buffer.offset(position), kind.itemsize)
        return np.frombuffer(self.buffer.data, dtype=kind, count=count, offset=start)

    def text(self, index: int, limit: int = 512) -> str:
        """A string, cut at `limit` bytes."""
        return self.array(index, "u1")[:limit].tobytes().decode("utf-8", errors="replace")
