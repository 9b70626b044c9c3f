"""Weights: those that stay in the weight memory, and those that come from flash while others are used.

A part of the memory is a ring. What does not stay is cut into chunks of blocks; the ring takes them in the
order of their use, each as soon as what lay there has been used, so that flash is busy ahead of the array.
Sizes of the ring and of chunks, and who stays, are tried; a simple count of clocks picks the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hwgen.plan.systolic.job import Job, TooMuch, part
from hwgen.plan.systolic.tiling import estimate
from hwgen.program.array import Array
from hwgen.program.instructions import Instruction, Load, Run, Wait

FLASH_CLOCKS = 2  # a byte: a nibble a clock
FLASH_START = 40  # clocks from a Load to its first word
LONGEST_LOAD = 65_535  # words
RUN_WORDS, LOAD_WORDS, WAIT_WORDS = 27, 5, 1  # of program memory
RINGS = 24  # sizes of the ring that are tried
CLIMBED = 8  # plans that are tried chunk by chunk
SPLITS = (1, 2, 3, 4, 6, 8, 12, 16)  # parts of the ring that a chunk may take


@dataclass(eq=False)
class Stream:
    """resident, later: bytes of the image. first: instructions that begin the program. runs: of each layer,
    its Runs with weight addresses, and Loads (offsets in `later`) and Waits among them. stalls: clocks in
    which the array is expected to wait for weights."""

    resident: bytes
    later: bytes = b""
    first: list[Instruction] = field(default_factory=list)
    runs: dict[str, list[Instruction]] = field(default_factory=dict)
    stalls: int = 0

    def addressed(self, program: Sequence[Instruction], offset: int) -> list[Instruction]:
        """The program with Loads from the image, in which `later` begins at byte `offset`."""
        result = []
        for each in program:
            if isinstance(each, Load):
                at = (each.high << 16 | each.low) + offset
                each = replace(each, high=at >> 16, low=at & 0xFFFF)
            result.append(each)
        return result


@dataclass(eq=False)
class Chunk:
    """Blocks first .. first + count - 1 of a job, its chunk `number`: weight words, used for `clocks`."""

    name: str
    job: Job
    number: int
    first: int
    count: int
    words: int
    clocks: int

    def joined(self, other: Chunk) -> Chunk:
        """This chunk and the one behind it."""
        words, clocks = self.words + other.words, self.clocks + other.clocks
        return replace(self, count=self.count + other.count, words=words, clocks=clocks)

    @property
    def data(self) -> bytes:
        """Its part of the stream."""
        return b"".join(self.job.weights[self.first : self.first + self.count])

    def runs(self, w: int) -> list[Run]:
        """Its Runs, the weights at word w."""
        blocks = len(self.job.weights)
        return [replace(part(run, self.first, self.count, blocks), w=w) for run in self.job.runs]


def stream(jobs: dict[str, Job], array: Array, head: int, spare: int) -> Stream:
    """Weights of layers in the order of their use.

    head: clocks before the first layer, in which weights may be loaded too. spare: words of program memory
    that nothing else takes. TooMuch if no plan fits.
    """
    whole = [chunk for name, job in jobs.items() for chunk in _cut(name, job, array, 1 << 40)]
    if sum(chunk.words for chunk in whole) <= array.weight_words:
        return _Plan(array, whole, set(range(len(whole))), 0, head).build()
    plans = [plan for plan in _plans(jobs, whole, array, head) if plan.words() <= spare]
    if not plans:
        total = sum(chunk.words for chunk in whole)
        raise TooMuch(f"{total} weight words want more instructions than the program memory holds")
    plans.sort(key=lambda plan: plan.stalls)
    return min((_climbed(plan, spare) for plan in plans[:CLIMBED]), key=lambda plan: plan.stalls).build()


def _climbed(plan: _Plan, spare: int) -> _Plan:
    """The plan with one chunk after the other staying or not, as long as that saves clocks."""
    while plan.stalls:
        best = plan
        for index in range(len(plan.pieces)):
            other = plan.but(index)
            if other is not None and other.stalls < best.stalls and other.words() <= spare:
                best = other
        if best is plan:
            break
        plan = best
    return plan


def _cut(name: str, job: Job, array: Array, most: int) -> list[Chunk]:
    """A job in chunks of at most `most` words; a block is the least."""
    block = len(job.weights[0]) // array.columns
    blocks = len(job.weights)
    pieces = -(-blocks // max(most // block, 1))
    size = -(-blocks // pieces)
    clocks = sum(estimate(run, array) for run in job.runs)
    chunks: list[Chunk] = []
    for first in range(0, blocks, size):
        count = min(size, blocks - first)
        chunks.append(Chunk(name, job, len(chunks), first, count, count * block, clocks * count // blocks))
    return chunks


def _plans(jobs: dict[str, Job], whole: Sequence[Chunk], array: Array, head: int) -> Iterator[_Plan]:
    """Plans with rings and chunks of several sizes, and several orders of who stays."""
    orders: tuple[Callable[[list[Chunk]], list[int]], ...] = (
        lambda chunks: sorted(range(len(chunks)), reverse=True),
        lambda chunks: sorted(range(len(chunks)), key=lambda i: -chunks[i].words / max(chunks[i].clocks, 1)),
        lambda chunks: list(range(len(chunks))),
        lambda chunks: sorted(range(len(chunks)), key=lambda i: (chunks[i].number - i, i)),
        lambda chunks: sorted(range(len(chunks)), key=lambda i: (chunks[i].number - i, i % 2, i)),
    )
    for split in SPLITS:
        for step in range(1, RINGS + 1):
            ring = array.weight_words * step // RINGS
            chunks = [c for name, job in jobs.items() for c in _cut(name, job, array, max(ring // split, 1))]
            for order in orders:
                kept: set[int] = set()
                left = array.weight_words - ring
                for index in order(chunks):
                    if chunks[index].words <= left:
                        kept.add(index)
                        left -= chunks[index].words
                if all(c.words <= ring for i, c in enumerate(chunks) if i not in kept):
                    yield _Plan(array, chunks, kept, ring + left, head)


class _Plan:
    """One choice, played through: when each chunk is loaded, and how long the array waits for it."""

    def __init__(self, array: Array, pieces: Sequence[Chunk], held: set[int], ring: int, head: int) -> None:
        """Pieces that are held and follow each other in a layer are one chunk."""
        self.array, self.pieces, self.held, self.ring = array, pieces, held, ring
        self.chunks: list[Chunk] = []
        self.kept: set[int] = set()
        for index, piece in enumerate(pieces):
            stays, last = index in held, len(self.chunks) - 1
            if stays and last in self.kept and self.chunks[last].name == piece.name:
                self.chunks[last] = self.chunks[last].joined(piece)
                continue
            if stays:
                self.kept.add(len(self.chunks))
            self.chunks.append(piece)
        chunks, kept = self.chunks, self.kept
        self.head = head
        self.base = array.weight_words - ring  # the ring's first word
        self.word = FLASH_CLOCKS * array.columns
        self.streamed = [i for i in range(len(chunks)) if i not in kept]
        self.place: dict[int, int] = {}
        self.before: list[list[tuple[int, int] | None]] = []  # per chunk, then head: loads (from, to), waits
        self.stalls = self.now = self.loaded = self.next = 0
        self.waited = True
        self.actions: list[tuple[int, int] | None] = []
        self._start(0, head)
        self.first, self.actions = self.actions, []
        self.now += head
        for index, chunk in enumerate(chunks):
            if index not in kept:
                self._await(index)
            self._start(index, chunk.clocks)
            self.before.append(self.actions)
            self.actions = []
            self.now += chunk.clocks

    def but(self, index: int) -> _Plan | None:
        """The plan in which one chunk stays that does not now, or not; None if the ring is too small."""
        held = self.held ^ {index}
        ring = self.array.weight_words - sum(self.pieces[i].words for i in held)
        if any(piece.words > ring for i, piece in enumerate(self.pieces) if i not in held):
            return None
        return _Plan(self.array, self.pieces, held, ring, self.head) if ring >= 0 else None

    def words(self) -> int:
        """Program words beyond those of one set of Runs a layer."""
        actions = [a for each in (self.first, *self.before) for a in each]
        cut = sum(len(chunk.job.runs) for chunk in self.chunks)
        once = sum(len(chunk.job.runs) for chunk in self.chunks if chunk.first == 0)
        loads = sum(a is not None for a in actions)
        return (cut - once) * RUN_WORDS + loads * LOAD_WORDS + (len(actions) - loads) * WAIT_WORDS

    def _await(self, index: int) -> None:
        """Before a chunk is used: it has been loaded."""
        if index not in self.place:
            self._load(1, index)
        if not self.waited and index in self.under_way:
            self.actions.append(None)
            self.waited = True
            self.stalls += max(self.loaded - self.now, 0)
            self.now = max(self.loaded, self.now)

    def _start(self, index: int, clocks: int) -> None:
        """At the beginning of `clocks` in which chunks from `index` on are still needed: load what fits."""
        if self.loaded > self.now:
            return
        count, words, at = 0, 0, None
        while self.next + count < len(self.streamed) and words * self.word < clocks + FLASH_START:
            chunk = self.chunks[self.streamed[self.next + count]]
            place = self._free(chunk.words, index, at, words)
            if place is None or words + chunk.words > LONGEST_LOAD:
                break
            at = place if at is None else at
            count, words = count + 1, words + chunk.words
        if count:
            self._load(count, index)

    def _load(self, count: int, index: int) -> None:
        """Load the next `count` chunks."""
        if self.loaded > self.now:
            self.stalls += self.loaded - self.now
            self.now = self.loaded
        at, words = None, 0
        for number in range(self.next, self.next + count):
            chunk = self.chunks[self.streamed[number]]
            place = self._free(chunk.words, index, at, words)
            assert place is not None  # chunks before have been used, none is larger than the ring
            at = place if at is None else at
            self.place[self.streamed[number]] = place
            words += chunk.words
        self.actions.append((self.next, self.next + count))
        self.under_way = set(self.streamed[self.next : self.next + count])
        self.next += count
        self.loaded = self.now + FLASH_START + words * self.word
        self.waited = False

    def _free(self, words: int, index: int, at: int | None, behind: int) -> int | None:
        """Where `words` more words fit while chunks from `index` on are needed; from `at` + behind on."""
        live = [
            (self.place[i], self.place[i] + self.chunks[i].words)
            for i in self.streamed[: self.next]
            if i >= index and i in self.place
        ]
        if at is not None:
            places = [at + behind]
        else:
            last = self.streamed[self.next - 1] if self.next else None
            places = [self.base] if last is None else [self.place[last] + self.chunks[last].words, self.base]
        for place in places:
            if place + words <= self.base + self.ring and all(
                place + words <= a or b <= place for a, b in live
            ):
                return place
        return None

    def build(self) -> Stream:
        """The stream that does it."""
        later = [self.chunks[i].data for i in self.streamed]
        starts = [0]
        for each in later:
            starts.append(starts[-1] + len(each))

        def written(actions: Sequence[tuple[int, int] | None]) -> list[Instruction]:
            result: list[Instruction] = []
            for action in actions:
                if action is None:
                    result.append(Wait())
                    continue
                at, size = starts[action[0]], starts[action[1]] - starts[action[0]]
                place = self.place[self.streamed[action[0]]]
                result.append(Load(low=at & 0xFFFF, high=at >> 16, w=place, words=size // self.array.columns))
            return result

        resident = b""
        runs: dict[str, list[Instruction]] = {}
        for index, chunk in enumerate(self.chunks):
            if index in self.kept:
                place = len(resident) // self.array.columns
                resident += chunk.data
            else:
                place = self.place[index]
            made = [*written(self.before[index]), *chunk.runs(place)]
            runs.setdefault(chunk.name, []).extend(made)
        return Stream(resident, b"".join(later), written(self.first), runs, self.stalls)
