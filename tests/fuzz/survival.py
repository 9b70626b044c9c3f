"""What every fuzz test asks: an error of hwgen's own or success, soon, and in little memory."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir

from hwgen.support.errors import HwgenError

SECONDS_EACH, SECONDS = 5.0, 60.0


def outcome(load: Callable[[bytes], object], data: bytes) -> str:
    """ "ok", or which of hwgen's errors came out; anything else is the test's failure."""
    try:
        load(data)
    except HwgenError as error:
        assert "\n" not in str(error) and len(str(error)) < 20_000
        return type(error).__name__
    return "ok"


def outcomes(load: Callable[[bytes], object], files: Iterator[bytes], count: int) -> Counter[str]:
    """How often each of them came out of so many files, all within their time."""
    found: Counter[str] = Counter()
    begin = time.process_time()
    for i, data in enumerate(itertools.islice(files, count)):
        start = time.process_time()
        try:
            found[outcome(load, data)] += 1
        except Exception as error:
            kept = Path(gettempdir()) / "hwgen-fuzz-case"
            kept.write_bytes(data)
            text = f"case {i} (in {kept}) ended in {type(error).__name__}: {error}"
            raise AssertionError(text) from error
        assert time.process_time() - start < SECONDS_EACH, f"case {i} takes too long"
    assert time.process_time() - begin < SECONDS
    return found


def megabytes(load: Callable[[bytes], object], files: Iterator[bytes], count: int) -> float:
    """Memory that Python held at the most while it read so many files."""
    tracemalloc.start()
    for data in itertools.islice(files, count):
        outcome(load, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / (1 << 20)
